"""Spans, as a collector receives them."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serve.models import TEXTS

from manyheads.errors import ConfigError

from .server import serving

pytest.importorskip("opentelemetry.sdk.trace", reason="the extra `telemetry` is not installed")
service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """Takes spans over HTTP, as any collector of OpenTelemetry does."""

    def __init__(self) -> None:
        self.exports: list[Any] = []
        self.paths: list[str] = []

    def take(self, path: str, body: bytes) -> None:
        self.paths.append(path)
        self.exports.append(service.ExportTraceServiceRequest.FromString(body))

    def spans(self) -> list[Any]:
        return [
            span
            for export in self.exports
            for resource in export.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            found.take(self.path, gzip.decompress(body) if packed else body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(service.ExportTraceServiceResponse().SerializeToString())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def attributes(of: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in of.attributes}


def test_a_span_for_each_request(
    collector: tuple[Collector, str], folders: dict[str, Path]
) -> None:
    found, url = collector
    parent = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "mine"}
    unsampled = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
    began = time.time()
    with serving(f"tiny={folders['vectors']}", options=["--telemetry", url]) as server:
        client = httpx.Client(base_url=server.url, timeout=30)
        client.post("/v1/embed", json={"inputs": TEXTS[:3]}, headers=parent).raise_for_status()
        client.post("/v1/embed", json={"inputs": TEXTS[:3]}, headers=unsampled)
        client.post("/v1/embed", json={"inputs": "a", "model": "other"})
        client.get("/readyz")
        assert server.end() == 0
    first, second = found.spans()
    assert set(found.paths) == {"/v1/traces"}
    assert (first.trace_id.hex(), first.parent_span_id.hex()) == (TRACE, PARENT)
    assert first.name == "POST /v1/embed" and first.kind == first.SPAN_KIND_SERVER
    assert began < first.start_time_unix_nano / 1e9 < first.end_time_unix_nano / 1e9 < time.time()
    said = attributes(first)
    assert said["http.response.status_code"] == 200 and said["http.route"] == "/v1/embed"
    assert (said["manyheads.model"], said["manyheads.items"]) == ("tiny", 3)
    assert said["manyheads.request_id"] == "mine" and said["manyheads.tokens"] > 3
    took = (first.end_time_unix_nano - first.start_time_unix_nano) / 1e9
    parts = [said[f"manyheads.{name}_seconds"] for name in ("read", "queue", "batch")]
    assert min(parts) > 0 and sum(parts) < took
    assert second.trace_id.hex() != TRACE and second.parent_span_id == b""
    assert attributes(second)["error.type"] == "UnknownModel"
    assert not any(TEXTS[0] in str(export) for export in found.exports)
    (resource,) = {str(attributes(one.resource_spans[0].resource)) for one in found.exports}
    assert "'service.name': 'manyheads'" in resource


def test_a_collector_that_is_not_there_keeps_nobody_waiting(folders: dict[str, Path]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/otlp/traces/"
    with serving(folders["vectors"], options=["--telemetry", url]) as server:
        asked = {"inputs": TEXTS[:3]}
        for _ in range(20):
            assert httpx.post(f"{server.url}/v1/embed", json=asked, timeout=5).status_code == 200
        begun = time.monotonic()
        assert server.end() == 0
        assert time.monotonic() - begun < 25


@pytest.mark.parametrize("url", ["localhost:4318", "ftp://collector", "http://", ""])
def test_what_is_no_address(url: str) -> None:
    from manyheads.serve.http.telemetry import Telemetry

    with pytest.raises(ConfigError, match="no address of a collector"):
        Telemetry(url)
