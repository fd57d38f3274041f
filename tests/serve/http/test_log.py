"""Ids of requests, and what is written down of them."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from tests.serve.models import TEXTS

from manyheads.errors import ConfigError
from manyheads.serve.http.log import Log
from manyheads.serve.http.metrics import Metrics
from manyheads.serve.http.noting import Noted
from manyheads.serve.notes import Notes, notes

from .server import serving

SECRET = "a text that is nobody's business"


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_each_request_is_a_line_without_texts_or_keys(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    file, keys = tmp_path / "requests.jsonl", tmp_path / "keys"
    keys.write_text("the-key\n")
    options = ["--log", str(file), "--api-keys", str(keys)]
    with serving(f"tiny={folders['vectors']}", options=options) as server:
        client = httpx.Client(base_url=server.url, timeout=30)
        key = {"Authorization": "Bearer the-key"}
        for given in ("order-66/a.b:c", "", "two words", "x" * 129, 'a"b'):
            headers = key | ({"X-Request-Id": given} if given else {})
            asked = {"inputs": [SECRET, *TEXTS[:2]]}
            answer = client.post("/v1/embed", json=asked, headers=headers).raise_for_status()
            said = answer.headers["x-request-id"]
            assert (said == given) is (given == "order-66/a.b:c")
            assert len(said) in (14, 32)
        tokens = sum(one["tokens"] - one["truncated"] for one in answer.json()["items"])
        too_long = {"inputs": [*TEXTS, SECRET], "truncate": "error"}
        refused = client.post("/v1/embed", json=too_long, headers=key)
        assert refused.json()["error"]["request_id"] == refused.headers["x-request-id"]
        stranger = client.post("/v1/embed", json={"inputs": SECRET}, headers={"X-API-Key": SECRET})
        assert stranger.json()["error"]["request_id"] == stranger.headers["x-request-id"]
        client.get(f"/{SECRET}", headers=key)
        for path in ("/", "/status", "/readyz", "/metrics"):
            assert "x-request-id" in client.get(path, headers=key).headers
        moved = file.rename(tmp_path / "yesterday.jsonl")
        client.get("/v1/models", headers=key)
        assert server.end() == 0
    *good, refused_line, stranger_line, none = lines(moved)
    assert len(good) == 5
    for line in good:
        assert datetime.fromisoformat(line["time"]).tzinfo is not None
        assert (line["method"], line["route"], line["status"]) == ("POST", "/v1/embed", 200)
        assert (line["model"], line["items"], line["tokens"]) == ("tiny", 3, tokens)
        parts = [line[f"{name}_seconds"] for name in ("read", "queue", "batch")]
        assert min(parts) > 0 and sum(parts) < line["seconds"] < 30
        assert "error" not in line
    assert good[0]["request_id"] == "order-66/a.b:c"
    assert len({line["request_id"] for line in good}) == 5
    assert (refused_line["status"], refused_line["error"]) == (413, "TooLong")
    assert refused_line["model"] == "tiny" and "tokens" not in refused_line
    assert (stranger_line["status"], stranger_line["error"]) == (401, "invalid_api_key")
    assert (none["status"], none["route"]) == (404, "none")
    assert [line["route"] for line in lines(file)] == ["/v1/models"]  # begun anew
    written = moved.read_text() + file.read_text()
    assert SECRET not in written and "the-key" not in written and "nobody" not in written


def test_on_stderr_and_with_the_client_of_openai(folders: dict[str, Path]) -> None:
    openai = pytest.importorskip("openai")
    with serving(f"tiny={folders['vectors']}", options=["--log", "-"]) as server:
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
            answer = client.embeddings.create(model="tiny", input=TEXTS[0])
            with pytest.raises(openai.NotFoundError) as unknown:
                client.embeddings.create(model="other", input=TEXTS[0])
        assert server.end() == 0
        assert server.process.stderr is not None
        first, second = (json.loads(line) for line in server.process.stderr)
    assert first["request_id"] == answer._request_id
    assert second["request_id"] == unknown.value.request_id
    assert second["error"] == "UnknownModel" and "model" not in second


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--log .* cannot be written"):
        Log(str(tmp_path))


def test_a_mistake_of_the_service_is_answered_with_its_id() -> None:
    """What it raised goes on to the server, which prints it; the client learns the id alone."""
    found: list[Notes] = []

    class Finding:
        def record(self, notes: Notes) -> None:
            found.append(notes)

        def close(self) -> None:
            pass

    async def wrong(request: Request) -> PlainTextResponse:
        notes().model = "tiny"
        raise RuntimeError(SECRET)

    app = Starlette(routes=[Route("/wrong", wrong)])
    app.add_middleware(Noted, metrics=Metrics(), recorders=[Finding()])

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/wrong")

    answer = asyncio.run(ask())
    assert answer.status_code == 500 and SECRET not in answer.text
    assert answer.json()["error"]["request_id"] == answer.headers["x-request-id"]
    (noted,) = found
    assert (noted.status, noted.error, noted.model) == (500, "RuntimeError", "tiny")
    assert noted.route == "/wrong"


def test_outside_of_requests_nobody_reads_what_is_noted() -> None:
    notes().model = "tiny"
    assert notes().model == ""
