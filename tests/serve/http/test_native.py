"""The service's own wire, over real sockets."""

from __future__ import annotations

import base64
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.serve.models import TEXTS

import manyheads as mh

from .server import Server, serving


def close(found: object, expected: np.ndarray) -> None:
    np.testing.assert_allclose(np.array(found), expected, atol=1e-5)


def test_vectors(client: httpx.Client, folders: dict[str, Path]) -> None:
    own = mh.load(folders["vectors"])
    answer = client.post("/v1/embed", json={"inputs": TEXTS}).raise_for_status().json()
    assert answer["model"] == "vectors" and answer["dimensions"] == own.dimensions
    close([one["vector"] for one in answer["items"]], own(TEXTS))
    expected = own.embed(TEXTS)
    assert [one["tokens"] for one in answer["items"]] == expected.tokens
    assert [one["truncated"] for one in answer["items"]] == expected.truncated
    asked = {"inputs": TEXTS[0], "prompt": "query", "dimensions": 3, "encoding": "base64"}
    (item,) = client.post("/v1/embed", json=asked).raise_for_status().json()["items"]
    vector = np.frombuffer(base64.b64decode(item["vector"]), "<f4")
    close(vector, own(TEXTS[0], prompt="query", dimensions=3))
    assert client.post("/v1/embed", json={"inputs": []}).json()["items"] == []


def test_labels_and_numbers(client: httpx.Client, folders: dict[str, Path]) -> None:
    own = mh.load(folders["moods"])
    answer = client.post("/v1/predict", json={"inputs": TEXTS, "model": "moods"}).json()
    assert answer["task"] == "classification"
    for item, expected in zip(answer["items"], own(TEXTS), strict=True):
        assert item["label"] == expected.label
        assert item["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)
    asked = {"inputs": TEXTS[:3], "pairs": TEXTS[3:6], "model": "ranks"}
    answer = client.post("/v1/predict", json=asked).json()
    expected = [one.value for one in mh.load(folders["ranks"])(TEXTS[:3], TEXTS[3:6])]
    assert [one["value"] for one in answer["items"]] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("path", "asked", "status", "kind", "message"),
    [
        ("embed", {}, 422, "RequestValidationError", "inputs: Field required"),
        ("embed", {"inputs": "a", "mdoel": "x"}, 422, "RequestValidationError", "mdoel: Extra"),
        ("embed", {"inputs": ["a", 3]}, 422, "RequestValidationError", "inputs"),
        ("embed", {"inputs": "a", "model": "vctors"}, 404, "UnknownModel", "mean 'vectors'"),
        ("embed", {"inputs": "a", "model": "moods"}, 400, "WrongModel", "makes no vectors"),
        ("embed", {"inputs": "a", "prompt": "ask"}, 400, "ConfigError", "no prompt 'ask'"),
        ("embed", {"inputs": "a", "dimensions": 99}, 400, "ConfigError", "dimensions=99"),
        ("embed", {"inputs": TEXTS, "truncate": "error"}, 413, "TooLong", "text 8 has"),
        ("embed", {"inputs": "a\ud800"}, 422, "TextError", "lone surrogate"),
        ("embed", {"inputs": "a", "timeout": 1e-9}, 408, "DeadlineExceeded", "no answer came"),
        ("predict", {"inputs": ["a"], "pairs": ["b", "c"]}, 422, "TextError", "have 2 pairs"),
    ],
)
def test_bad_input_gets_a_typed_error(
    client: httpx.Client, path: str, asked: dict[str, object], status: int, kind: str, message: str
) -> None:
    import json

    body = json.dumps(asked)  # with surrogates escaped, as any client may
    answer = client.post(f"/v1/{path}", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["type"] == kind
    assert message in answer.json()["error"]["message"]


def test_what_is_no_json(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/embed", content=b'{"inputs":', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert "the body is no JSON" in answer.json()["error"]["message"]


def test_health_and_metrics(client: httpx.Client) -> None:
    assert client.get("/livez").json() == {"status": "live"}
    assert client.get("/readyz").json() == {"status": "ready"}
    client.post("/v1/embed", json={"inputs": "a"})
    text = client.get("/metrics").text
    assert 'manyheads_requests_total{route="/v1/embed",status="200"}' in text
    assert 'manyheads_batch_tokens_bucket{le="16.0",model="vectors"}' in text
    assert 'manyheads_queue_tokens{model="vectors"} 0.0' in text
    client.get("/nowhere/at/all")
    assert "/nowhere" not in client.get("/metrics").text


def test_many_clients_at_once_get_their_own(server: Server, folders: dict[str, Path]) -> None:
    own = mh.load(folders["vectors"])(TEXTS)

    def ask(number: int) -> None:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            for turn in range(6):
                at = (number + turn) % len(TEXTS)
                answer = client.post("/v1/embed", json={"inputs": TEXTS[at]}).raise_for_status()
                close(answer.json()["items"][0]["vector"], own[at])

    with ThreadPoolExecutor(12) as clients:
        list(clients.map(ask, range(24)))


def test_a_client_that_vanishes_is_forgotten(server: Server, client: httpx.Client) -> None:
    asked = {"inputs": TEXTS * 5000, "lane": "bulk"}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{server.url}/v1/embed", json=asked, timeout=httpx.Timeout(30, read=1.0))
    begun = time.perf_counter()
    # Until the service sees that nobody waits any more, others may be sent away.
    while (answer := client.post("/v1/embed", json={"inputs": "a"})).status_code == 429:
        assert time.perf_counter() - begun < 20
        time.sleep(0.1)
    answer.raise_for_status()
    deadline = time.monotonic() + 30
    while 'manyheads_queue_tokens{model="vectors"} 0.0' not in client.get("/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_bodies_beyond_the_limit_are_not_read(folders: dict[str, Path]) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b" " * 65536

    with serving(folders["vectors"], options=["--body-megabytes", "1"]) as server:
        big = {"inputs": "a" * (2 << 20)}
        answer = httpx.post(f"{server.url}/v1/embed", json=big, timeout=30)
        assert (
            answer.status_code == 413 and "exceeds the limit" in answer.json()["error"]["message"]
        )
        try:
            answer = httpx.post(f"{server.url}/v1/embed", content=endless(), timeout=30)
            assert answer.status_code == 413
        except httpx.WriteError:
            pass  # it hung up, which is as good
        assert httpx.get(f"{server.url}/readyz", timeout=30).status_code == 200


def test_sigterm_answers_what_is_there(folders: dict[str, Path]) -> None:
    with serving(folders["vectors"], options=["--queue-tokens", "10000000"]) as server:
        found: list[int] = []

        def ask() -> None:
            asked = {"inputs": TEXTS * 100}
            answer = httpx.post(f"{server.url}/v1/embed", json=asked, timeout=60)
            found.append(len(answer.raise_for_status().json()["items"]))

        clients = [threading.Thread(target=ask) for _ in range(4)]
        for one in clients:
            one.start()
        while "manyheads_requests_in_work 5.0" not in httpx.get(f"{server.url}/metrics").text:
            time.sleep(0.05)  # four, and this one
        server.process.send_signal(signal.SIGTERM)
        for one in clients:
            one.join()
        assert found == [len(TEXTS) * 100] * 4
        assert server.process.wait(30) == 0
