"""Many heads over the wires: all of them answer in one request, and say what they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests import many, questions, tiny

import manyheads as mh

from .server import Server, serving

TEXTS = [*(text for text, _ in tiny.named_rows(3, seed=5)), "今天去图书馆", "loud " * 80]
RECIPE = mh.Recipe(epochs=1, batch_size=16, max_tokens=48)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    learner = many.learner(recipe=RECIPE)
    learner.fit()
    return learner.predictor().save(tmp_path_factory.mktemp("served") / "heads")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder) as running:
        yield running


def test_all_heads_answer_a_request(server: Server, folder: Path) -> None:
    answer = httpx.post(f"{server.url}/v1/predict", json={"inputs": TEXTS}, timeout=60).json()
    assert answer["task"] == "many-heads"
    own = mh.load(folder)(TEXTS)
    for number, item in enumerate(answer["items"]):
        heads = item["heads"]
        assert list(heads) == ["mood", "names", "score", "topics"]
        assert heads["mood"]["label"] == own["mood"][number].label
        assert heads["score"]["value"] == pytest.approx(own["score"][number].value, rel=1e-3)
        entities = own["names"][number].entities
        found = [(one["start"], one["end"], one["label"]) for one in heads["names"]["entities"]]
        assert found == [(one.start, one.end, one.label) for one in entities]
    assert answer["items"][-1]["truncated"] > 0 == answer["items"][0]["truncated"]


def test_with_pairs_the_heads_of_pairs_answer_too(server: Server, folder: Path) -> None:
    rows = questions.rows(2, seed=4)
    asked = {"inputs": rows["question"], "pairs": rows["context"]}
    answer = httpx.post(f"{server.url}/v1/predict", json=asked, timeout=60).json()
    own = mh.load(folder)(rows["question"], rows["context"])["answer"]
    said = [item["heads"]["answer"]["text"] for item in answer["items"]]
    assert said == [one.text for one in own]
    wrong = {"inputs": ["a", "b"], "pairs": ["c"]}
    refused = httpx.post(f"{server.url}/v1/predict", json=wrong, timeout=60)
    assert refused.status_code == 422


def test_what_is_too_long_is_refused_where_that_is_asked(server: Server) -> None:
    asked = {"inputs": TEXTS[-1], "truncate": "error"}
    refused = httpx.post(f"{server.url}/v1/predict", json=asked, timeout=60)
    assert refused.status_code == 413


def test_models_say_their_heads(server: Server, folder: Path) -> None:
    expected = json.loads((folder / "manyheads.json").read_text())["task"]["heads"]
    (model,) = httpx.get(f"{server.url}/v1/models").json()["data"]
    assert model["heads"] == expected
    (status,) = httpx.get(f"{server.url}/status").json()["models"]
    assert status["heads"] == expected
    assert httpx.get(f"{server.url}/info").json()["model_type"] == {"heads": expected}


def test_the_open_protocol_has_an_output_for_each_head(server: Server) -> None:
    name = httpx.get(f"{server.url}/v1/models").json()["data"][0]["id"]
    outputs = httpx.get(f"{server.url}/v2/models/{name}").json()["outputs"]
    assert [one["name"] for one in outputs] == list(many.TASK.tasks)
    text = {"name": "text", "shape": [2], "datatype": "BYTES", "data": TEXTS[:2]}
    infer = f"{server.url}/v2/models/{name}/infer"
    answer = httpx.post(infer, json={"inputs": [text]}, timeout=60).json()
    by_name = {one["name"]: one["data"] for one in answer["outputs"]}
    assert json.loads(by_name["mood"][1])["label"] in ("good", "bad")


def test_our_client_reads_all_heads(server: Server) -> None:
    with mh.Client(server.url) as client:
        found = client.predict(TEXTS[:2])
    assert [set(one["heads"]) for one in found] == [{"mood", "names", "score", "topics"}] * 2
