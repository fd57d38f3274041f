"""Tagged words over all wires that know them: ours, Hugging Face's, the open protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from huggingface_hub import InferenceClient
from tests.serve import models

import manyheads as mh

from .server import Server, serving

LONG = " ".join(models.NAMED)
TEXTS = [*models.NAMED[:4], "", "Ann\u200ba met Be\u0301la.", LONG]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.tagger(tmp_path_factory.mktemp("served") / "names")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder) as running:
        yield running


def test_entities_and_counts(server: Server, folder: Path) -> None:
    own = mh.load(folder)
    reader = own.reader.reader
    answer = httpx.post(f"{server.url}/v1/predict", json={"inputs": TEXTS}, timeout=60).json()
    assert answer["task"] == "tagging"
    assert sum(len(item["entities"]) for item in answer["items"]) > 10
    for text, item, expected in zip(TEXTS, answer["items"], own(TEXTS), strict=True):
        assert item["truncated"] == 0
        assert item["tokens"] == reader.tokenizer.encode([reader.cleaning(text)])[0].tokens
        assert len(item["entities"]) == len(expected.entities)
        for found, entity in zip(item["entities"], expected.entities, strict=True):
            assert (found["start"], found["end"], found["label"]) == (
                entity.start,
                entity.end,
                entity.label,
            )
            assert text[found["start"] : found["end"]] == found["text"] == entity.text
            assert found["probability"] == pytest.approx(entity.probability, abs=1e-4)


def test_nothing_is_cut_whatever_is_asked(server: Server) -> None:
    for cut in ("head", "error"):
        asked = {"inputs": LONG, "truncate": cut}
        answer = httpx.post(f"{server.url}/v1/predict", json=asked, timeout=60)
        (item,) = answer.raise_for_status().json()["items"]
        assert item["tokens"] > 64 and item["truncated"] == 0
        assert item["entities"][-1]["end"] > len(LONG) - 40


def test_pairs_are_refused(server: Server) -> None:
    asked = {"inputs": "a", "pairs": "b"}
    answer = httpx.post(f"{server.url}/v1/predict", json=asked, timeout=60)
    assert answer.status_code == 422 and "send no pairs" in answer.json()["error"]["message"]


def test_their_client(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    theirs, own = InferenceClient(server.url, timeout=60), mh.load(folder)
    for text in TEXTS[:4]:
        found = theirs.token_classification(text)
        expected = own(text).entities
        assert [(one.entity_group, one.word, one.start, one.end) for one in found] == [
            (one.label, one.text, one.start, one.end) for one in expected
        ]
    words = theirs.token_classification(TEXTS[0], aggregation_strategy="none")
    tagged = own(TEXTS[0])
    assert [one.entity for one in words] == [tag for tag in tagged.tags if tag != "O"]
    every = theirs.token_classification(
        TEXTS[0], aggregation_strategy="none", ignore_labels=["B-PER"]
    )
    assert [one.entity for one in every] == [tag for tag in tagged.tags if tag != "B-PER"]
    both = httpx.post(server.url, json={"inputs": TEXTS[:2]}, timeout=60).json()
    assert [len(one) for one in both] == [len(one.entities) for one in own(TEXTS[:2])]


def test_the_open_protocol(server: Server, folder: Path) -> None:
    url = f"{server.url}/v2/models/names"
    assert httpx.get(url, timeout=60).json()["outputs"][0]["name"] == "entities"
    text = {"name": "text", "shape": [2], "datatype": "BYTES", "data": TEXTS[:2]}
    answer = httpx.post(f"{url}/infer", json={"inputs": [text]}, timeout=60).json()
    (output,) = answer["outputs"]
    found = [[one["text"] for one in json.loads(row)] for row in output["data"]]
    assert found == [[one.text for one in said.entities] for said in mh.load(folder)(TEXTS[:2])]


def test_what_it_does_not_do(server: Server) -> None:
    answer = httpx.post(f"{server.url}/v1/embed", json={"inputs": "a"}, timeout=60)
    assert answer.status_code == 400 and answer.json()["error"]["type"] == "WrongModel"
    assert httpx.get(f"{server.url}/info", timeout=60).json()["model_type"] == {"tagging": {}}


def test_our_client(server: Server, folder: Path) -> None:
    with mh.Client(server.url, timeout=60) as client:
        items = client.predict(TEXTS)
    for item, said in zip(items, mh.load(folder)(TEXTS), strict=True):
        assert [one["text"] for one in item["entities"]] == [one.text for one in said.entities]


def test_what_each_word_is(tmp_path: Path) -> None:
    folder = models.tagger(tmp_path / "speech", names=False)
    with serving(folder) as server:
        asked = {"inputs": TEXTS[0]}
        (item,) = httpx.post(f"{server.url}/v1/predict", json=asked, timeout=60).json()["items"]
        tagged = mh.load(folder)(TEXTS[0])
        assert [one["label"] for one in item["words"]] == list(tagged.tags)
        found = httpx.post(server.url, json=asked, timeout=60).json()
        assert [one["entity_group"] for one in found] == list(tagged.tags)
