"""A span of each request, sent to a collector of OpenTelemetry by OTLP over HTTP.

What the environment says to every such program (`OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, …)
holds here, too. A collector that is not there is no reason not to answer: its spans are dropped.
"""

from __future__ import annotations

from threading import Timer
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from manyheads._version import __version__
from manyheads.errors import ConfigError
from manyheads.serve.notes import NO_ROUTE, Notes

Known = str | int | float
_PATH = "/v1/traces"  # where collectors take spans
_NANOSECONDS = 1_000_000_000
_PATIENCE = 5.0  # seconds that the end of a service waits for its collector


class Telemetry:
    """Sends spans, in batches and by a thread of its own."""

    def __init__(self, url: str) -> None:
        """Begin to send to a collector, at its path for spans unless the URL has one.

        Raises `ConfigError` for what is no URL.
        """
        self._exporter = OTLPSpanExporter(endpoint=_endpoint(url))
        named = Resource({"service.name": "manyheads", "service.version": __version__})
        self._provider = TracerProvider(
            resource=named.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("manyheads", __version__)
        self._traces = TraceContextTextMapPropagator()

    def record(self, notes: Notes) -> None:
        """Make a span of a request, in the trace that it says it is a part of."""
        span = self._tracer.start_span(
            notes.method if notes.route == NO_ROUTE else f"{notes.method} {notes.route}",
            context=self._traces.extract(notes.trace),
            kind=SpanKind.SERVER,
            attributes=_attributes(notes),
            start_time=int(notes.began * _NANOSECONDS),
        )
        if notes.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(int((notes.began + notes.seconds) * _NANOSECONDS))

    def close(self) -> None:
        """Send what is left; a collector that is not there is not waited for long."""
        enough = Timer(_PATIENCE, self._exporter.shutdown)
        enough.start()
        self._provider.shutdown()
        enough.cancel()


def _endpoint(url: str) -> str:
    where = urlsplit(url)
    if where.scheme not in ("http", "https") or not where.hostname:
        raise ConfigError(
            f"--telemetry {url!r} is no address of a collector; give one such as "
            "http://localhost:4318"
        )
    return where._replace(path=where.path.rstrip("/") or _PATH).geturl()


def _attributes(notes: Notes) -> dict[str, Known]:
    """Return what a span says; names of HTTP are those of OpenTelemetry's conventions."""
    said: dict[str, Known] = {
        "http.request.method": notes.method,
        "http.response.status_code": notes.status,
        "manyheads.request_id": notes.request_id,
    }
    known: dict[str, Known] = {
        "http.route": "" if notes.route == NO_ROUTE else notes.route,
        "error.type": notes.error,
        "manyheads.model": notes.model,
        "manyheads.items": notes.items,
        "manyheads.tokens": notes.tokens,
        "manyheads.written_tokens": notes.written,
        "manyheads.read_seconds": notes.read,
        "manyheads.queue_seconds": notes.waited,
        "manyheads.batch_seconds": notes.worked,
    }
    return said | {name: value for name, value in known.items() if value}
