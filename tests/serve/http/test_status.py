"""What the service says of itself, and the page that shows it."""

from __future__ import annotations

import re
import time
from pathlib import Path

import httpx
from tests.serve.models import TEXTS

from manyheads.serve.http import dashboard

from .server import Server, serving


def test_status(folders: dict[str, Path]) -> None:
    with (
        serving(*(f"{name}={folders[name]}" for name in ("vectors", "moods"))) as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        before = client.get("/status").json()
        assert before["ready"] and before["errors"] == {}
        assert before["requests"]["latency"]["p99"] is None
        tokens = 0
        for _ in range(3):
            items = client.post("/v1/embed", json={"inputs": TEXTS}).json()["items"]
            tokens += sum(one["tokens"] - one["truncated"] for one in items)
        client.post("/v1/embed", json={"inputs": TEXTS, "truncate": "error"})
        client.post("/v1/predict", json={"inputs": TEXTS[:2], "timeout": 1e-9})
        for _ in range(100):
            said = client.get("/status").json()
            if sum(said["requests"]["series"]) == 5:  # the second in which they came is over
                break
            time.sleep(0.05)
        vectors, moods = said["models"]
        assert (vectors["name"], vectors["kind"]) == ("vectors", "embedding")
        assert (moods["name"], moods["kind"], moods["task"]) == (
            *("moods", "labelling"),
            "classification",
        )
        assert moods["labels"] == ["bad", "good"] and vectors["dimensions"] == 32
        assert sum(vectors["items"]["series"]) == 3 * len(TEXTS)
        assert sum(vectors["tokens"]["series"]) == tokens
        assert vectors["limits"]["text_tokens"] == 24
        assert vectors["workers_ready"] == vectors["workers"] == 1 and vectors["restarts"] == 0
        latency = said["requests"]["latency"]
        assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"] < 30
        assert len(latency["series"]) == 60 and max(filter(None, latency["series"])) > 0
        assert said["errors"] == {
            "TooLong": {"requests": 1, "texts": 0},
            "DeadlineExceeded": {"requests": 0, "texts": 2},
        }
        assert 'manyheads_request_errors_total{type="TooLong"} 1.0' in client.get("/metrics").text


def test_layers_of_a_model_are_shown_by_its_name(folders: dict[str, Path]) -> None:
    options = ["--zmq-port", "0", "--zmq-port-out", "0", "--pooling-layer", "-1"]
    with serving(f"body={folders['vectors']}", options=options) as server:
        client = httpx.Client(base_url=server.url, timeout=30)
        assert client.post("/encode", json={"texts": TEXTS[:3]}).status_code == 200
        (model,) = client.get("/status").json()["models"]
        assert (model["name"], model["kind"]) == ("body", "encoding")


def test_the_page_needs_nothing_from_elsewhere(server: Server, client: httpx.Client) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    namespace = "http://www.w3.org/2000/svg"
    assert set(re.findall(r"https?://[^\s\"']+", answer.text)) == {namespace}
    assert "innerHTML" not in answer.text and "insertAdjacent" not in answer.text
    assert (Path(dashboard.__file__).parent / "dashboard.html").read_text("utf-8") == answer.text
