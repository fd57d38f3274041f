"""The wire of text-embeddings-inference, by Hugging Face's own client and as its pages have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from huggingface_hub import InferenceClient
from tests.serve.models import TEXTS

import manyheads as mh

from .server import Server, serving

SHORT = TEXTS[:6]


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their client refuses this machine, too, where the hub is not to be asked."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.array(found), np.array(expected), atol=1e-5)


def test_their_client_makes_vectors(server: Server, folders: dict[str, Path]) -> None:
    own = mh.load(folders["vectors"])
    theirs = InferenceClient(f"{server.url}/embed", timeout=30)
    close(theirs.feature_extraction(SHORT[0])[0], own(SHORT[0]))
    asked = theirs.feature_extraction(
        TEXTS[7], normalize=False, prompt_name="query", truncate=True, truncation_direction="left"
    )
    assert abs(np.linalg.norm(asked) - 1) > 1e-3


def test_their_client_asks_the_first_model_at_the_address_itself(
    server: Server, client: httpx.Client, folders: dict[str, Path]
) -> None:
    theirs = InferenceClient(server.url, timeout=30)
    vectors = mh.load(folders["vectors"])(SHORT)
    close(theirs.feature_extraction(SHORT[0])[0], vectors[0])
    near = theirs.sentence_similarity(SHORT[0], other_sentences=SHORT[1:])
    close(near, (vectors[:1] @ vectors[1:].T)[0])
    wrong = client.post("/", json={"inputs": 7})
    assert wrong.status_code == 422 and wrong.json()["error_type"] == "Validation"
    assert wrong.json()["error"].startswith("inputs")


@pytest.mark.parametrize("kind", ["moods", "ranks"])
def test_a_first_model_that_says_labels(folders: dict[str, Path], kind: str) -> None:
    with serving(folders[kind]) as server, httpx.Client(base_url=server.url) as client:
        for path, asked in (
            ("/predict", {"inputs": [SHORT[:2]] if kind == "ranks" else SHORT[0]}),
            ("/rerank", {"query": SHORT[0], "texts": SHORT[1:]}),
        ):
            said, also = (client.post(one, json=asked, timeout=30) for one in (path, "/"))
            assert said.status_code == (200 if kind == "ranks" or path == "/predict" else 424)
            assert said.status_code == also.status_code and said.json() == also.json()


def test_embed(client: httpx.Client, folders: dict[str, Path]) -> None:
    own = mh.load(folders["vectors"])
    close(client.post("/embed", json={"inputs": SHORT}).json(), own(SHORT))
    close(client.post("/embed", json={"inputs": SHORT[0]}).json(), own(SHORT[:1]))
    asked = {"inputs": TEXTS, "truncate": True, "prompt_name": "query", "dimensions": 3}
    close(client.post("/embed", json=asked).json(), own(TEXTS, prompt="query", dimensions=3))
    raw = np.array(client.post("/embed", json={"inputs": SHORT, "normalize": False}).json())
    assert np.abs(np.linalg.norm(raw, axis=1) - 1).min() > 1e-3
    close(raw / np.linalg.norm(raw, axis=1, keepdims=True), own(SHORT))


def test_texts_and_ids_may_be_mixed(client: httpx.Client, folders: dict[str, Path]) -> None:
    own = mh.load(folders["vectors"])
    tokens = client.post("/tokenize", json={"inputs": SHORT}).json()
    ids = [[token["id"] for token in one] for one in tokens]
    close(client.post("/embed", json={"inputs": ids}).json(), own(SHORT))
    close(client.post("/embed", json={"inputs": ids[2]}).json(), own(SHORT[2:3]))
    close(client.post("/embed", json={"inputs": [SHORT[0], ids[1]]}).json(), own(SHORT[:2]))


def test_embed_all(client: httpx.Client, folders: dict[str, Path]) -> None:
    found = client.post("/embed_all", json={"inputs": SHORT}).json()
    for one, expected in zip(found, mh.load(folders["vectors"]).tokens(SHORT), strict=True):
        close(one, expected)


def test_predict(client: httpx.Client, folders: dict[str, Path]) -> None:
    own = mh.load(folders["moods"])
    single = client.post("/predict", json={"inputs": SHORT[0]}).json()
    expected = own(SHORT[0]).probabilities
    assert [one["label"] for one in single] == sorted(expected, key=lambda one: -expected[one])
    assert {one["label"]: one["score"] for one in single} == pytest.approx(expected, abs=1e-5)
    batch = client.post("/predict", json={"inputs": [[text] for text in SHORT]}).json()
    assert [one["label"] for one in batch[0]] == [one["label"] for one in single]
    assert batch[0][0]["score"] == pytest.approx(single[0]["score"], abs=1e-5)
    raw = client.post("/predict", json={"inputs": SHORT[0], "raw_scores": True}).json()
    outputs = dict(zip(own.labels, own.outputs(SHORT[:1])[0].tolist(), strict=True))
    assert {one["label"]: one["score"] for one in raw} == pytest.approx(outputs, abs=1e-5)
    pair = client.post("/predict", json={"inputs": [SHORT[0], SHORT[1]]}).json()
    assert {one["label"]: one["score"] for one in pair} == pytest.approx(
        own(SHORT[0], SHORT[1]).probabilities, abs=1e-5
    )


def test_rerank_needs_a_model_that_ranks(client: httpx.Client) -> None:
    answer = client.post("/rerank", json={"query": "a", "texts": SHORT})
    assert answer.status_code == 424 and answer.json()["error_type"] == "Backend"
    assert "does not rank" in answer.json()["error"]


def test_similarity(server: Server, folders: dict[str, Path]) -> None:
    vectors = mh.load(folders["vectors"])(SHORT)
    theirs = InferenceClient(f"{server.url}/similarity", timeout=30)
    close(theirs.sentence_similarity(SHORT[0], SHORT[1:]), (vectors[:1] @ vectors[1:].T)[0])


def test_tokens_there_and_back(client: httpx.Client) -> None:
    (tokens,) = client.post("/tokenize", json={"inputs": "loud and clear"}).json()
    assert tokens[0]["special"] and tokens[0]["start"] is None
    inner = [one for one in tokens if not one["special"]]
    assert all("loud and clear"[one["start"] : one["stop"]] == one["text"] for one in inner)
    bare = {"inputs": "loud and clear", "add_special_tokens": False}
    assert client.post("/tokenize", json=bare).json() == [inner]
    ids = [one["id"] for one in tokens]
    assert client.post("/decode", json={"ids": ids}).json() == ["loud and clear"]
    assert client.post("/decode", json={"ids": [ids, ids]}).json() == ["loud and clear"] * 2


def test_info(client: httpx.Client) -> None:
    info = client.get("/info").json()
    assert info["model_type"] == {"embedding": {"pooling": "mean"}}
    assert info["max_input_length"] == 24 and info["model_id"] == "vectors"
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("path", "asked", "status", "kind"),
    [
        ("embed", {"inputs": []}, 400, "Empty"),
        ("embed", {"inputs": TEXTS}, 413, "Validation"),
        ("embed", {"inputs": "a", "prompt_name": "ask"}, 413, "Validation"),
        ("embed", {}, 422, "Validation"),
        ("embed", {"inputs": [[9999]]}, 422, "Tokenizer"),
        ("decode", {"ids": [[3, 2**70]]}, 422, "Tokenizer"),
        ("predict", {"inputs": [["a", "b", "c"]]}, 422, "Tokenizer"),
        ("predict", {"inputs": [["a", "b"], ["a"]]}, 422, "Tokenizer"),
        ("rerank", {"query": "a", "texts": []}, 424, "Backend"),
        ("similarity", {"inputs": {"source_sentence": "a", "sentences": []}}, 400, "Empty"),
    ],
)
def test_errors_have_its_shape(
    client: httpx.Client, path: str, asked: dict[str, Any], status: int, kind: str
) -> None:
    answer = client.post(f"/{path}", json=asked)
    assert answer.status_code == status, answer.text
    assert answer.json()["error_type"] == kind and answer.json()["error"]


def test_rerank(folders: dict[str, Path]) -> None:
    own = mh.load(folders["ranks"])
    with serving(folders["ranks"]) as server, httpx.Client(base_url=server.url) as client:
        asked = {"query": SHORT[0], "texts": SHORT[1:], "return_text": True, "raw_scores": True}
        ranks = client.post("/rerank", json=asked, timeout=30).json()
        scores = own.outputs([SHORT[0]] * 5, SHORT[1:])[:, 0].tolist()
        assert [one["index"] for one in ranks] == sorted(range(5), key=lambda i: -scores[i])
        for one in ranks:
            assert one["score"] == pytest.approx(scores[one["index"]], abs=1e-5)
            assert one["text"] == SHORT[1:][one["index"]]
        squashed = client.post("/rerank", json=asked | {"raw_scores": False}, timeout=30).json()
        assert squashed[0]["score"] == pytest.approx(1 / (1 + np.exp(-ranks[0]["score"])))
        assert client.get("/info").json()["model_type"].keys() == {"reranker"}
        answer = client.post("/embed", json={"inputs": "a"})
        assert answer.status_code == 424 and answer.json()["error_type"] == "Backend"
