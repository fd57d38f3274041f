"""Answers over real sockets: the service's own wire, its client, and Hugging Face's client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import InferenceClient
from tests import questions
from tests.serve import models

import manyheads as mh
from manyheads.errors import TextError, WrongModel

from .server import Server, serving

ROWS = questions.rows(9, seed=5, refusing=True)
LONG = " ".join(ROWS["context"] * 3)
QUESTIONS = [*ROWS["question"], "which city was it?", "什么？"]
CONTEXTS = [*ROWS["context"], LONG, "今天 的  天气\u200b很好"]


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their client refuses this machine, too, where the hub is not to be asked."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.answers(tmp_path_factory.mktemp("answers") / "answers")


@pytest.fixture(scope="module")
def own(folder: Path) -> mh.Answerer:
    opened: mh.Answerer = mh.load(folder)
    return opened


@pytest.fixture(scope="module")
def server(folder: Path, folders: dict[str, Path]) -> Iterator[Server]:
    with serving(f"answers={folder}", f"moods={folders['moods']}") as running:
        yield running


@pytest.fixture(scope="module")
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as made:
        yield made


def asked(number: int) -> dict[str, str]:
    return {"question": QUESTIONS[number], "context": CONTEXTS[number]}


def assert_same(item: dict[str, Any], expected: Any) -> None:
    assert (item["text"], item["start"], item["end"]) == (
        *(expected.text, expected.start, expected.end),
    )
    assert item["probability"] == pytest.approx(expected.probability, rel=1e-3)


def test_answers_are_those_of_the_predictor(http: httpx.Client, own: mh.Answerer) -> None:
    rows = [asked(number) for number in range(len(QUESTIONS))]
    answer = http.post("/v1/answer", json={"inputs": rows}).raise_for_status().json()
    assert answer["model"] == "answers"
    expected = own.answers(QUESTIONS, CONTEXTS)
    for item, one in zip(answer["items"], expected, strict=True):
        assert_same(item, one.prediction)
        assert item["truncated"] == one.truncated == 0 and item["tokens"] > 8
        assert len(item["candidates"]) == min(5, len(one.prediction.candidates))
    assert answer["items"][9]["tokens"] > 96  # several windows
    assert http.post("/v1/answer", json={"inputs": []}).json()["items"] == []


def test_one_question_may_decide_otherwise(http: httpx.Client, own: mh.Answerer) -> None:
    always = {"inputs": asked(0), "refuse": False, "longest": 1, "top": 2}
    (item,) = http.post("/v1/answer", json=always).raise_for_status().json()["items"]
    assert item["text"] and " " not in item["text"]
    assert len(item["candidates"]) == 2
    never_long = [one for one in own(QUESTIONS[0], CONTEXTS[0]).candidates if one.text]
    assert any(" " in one.text for one in never_long)


@pytest.mark.parametrize(
    ("said", "status", "kind", "message"),
    [
        ({}, 422, "RequestValidationError", "inputs: Field required"),
        ({"inputs": "who?"}, 422, "RequestValidationError", "inputs"),
        ({"inputs": {"question": "who?"}}, 422, "RequestValidationError", "context"),
        ({"inputs": asked(0), "top": 0}, 422, "RequestValidationError", "top"),
        ({"inputs": asked(0), "model": "moods"}, 400, "WrongModel", "answers no questions"),
        ({"inputs": asked(9), "truncate": "error"}, 413, "TooLong", "text 1 has"),
        ({"inputs": asked(0), "truncate": "head"}, 400, "ConfigError", "read in windows"),
    ],
)
def test_bad_input_gets_a_typed_error(
    http: httpx.Client, said: dict[str, Any], status: int, kind: str, message: str
) -> None:
    answer = http.post("/v1/answer", json=said)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["type"] == kind
    assert message in answer.json()["error"]["message"]


def test_windows_may_be_asked_for(http: httpx.Client, own: mh.Answerer) -> None:
    said = {"inputs": asked(9), "truncate": "windows"}
    (item,) = http.post("/v1/answer", json=said).raise_for_status().json()["items"]
    assert_same(item, own(QUESTIONS[9], CONTEXTS[9]))


def test_their_client_asks_at_the_address_itself(server: Server, own: mh.Answerer) -> None:
    theirs = InferenceClient(server.url, timeout=30)
    for number in range(len(QUESTIONS)):
        found = theirs.question_answering(**asked(number))
        expected = own(QUESTIONS[number], CONTEXTS[number])
        assert (found.answer, found.start, found.end) == (
            *(expected.text, expected.start, expected.end),
        )
        assert found.score == pytest.approx(expected.probability, rel=1e-3)
    several = theirs.question_answering(
        **asked(1), top_k=3, handle_impossible_answer=False, max_answer_len=2
    )
    assert len(several) == 3 and len({(one.start, one.end) for one in several}) == 3
    assert all(one.answer == CONTEXTS[1][one.start : one.end] != "" for one in several)


def test_what_their_client_cannot_have_is_said(server: Server, http: httpx.Client) -> None:
    answer = http.post("/", json={"inputs": asked(0), "parameters": {"doc_stride": 3}})
    assert answer.status_code == 422 and answer.json()["error_type"] == "Validation"
    assert "doc_stride" in answer.json()["error"]
    assert http.post("/", json={"inputs": "who?"}).status_code == 422
    assert http.get("/info").json()["model_type"] == {"answering": {}}


def test_our_client(server: Server, own: mh.Answerer) -> None:
    with mh.Client(server.url, texts_per_request=4) as client:
        for item, one in zip(
            client.answer(QUESTIONS, CONTEXTS), own(QUESTIONS, CONTEXTS), strict=True
        ):
            assert_same(item, one)
        (item,) = client.answer(QUESTIONS[0], CONTEXTS[0], top=1, refuse=False)
        assert item["text"] and len(item["candidates"]) == 1
        together = client.answer(QUESTIONS[:3], LONG)
        for item, one in zip(together, own(QUESTIONS[:3], LONG), strict=True):
            assert_same(item, one)
        assert client.answer([], []) == []
        with pytest.raises(TextError, match="2 texts have 1 pairs"):
            client.answer(["a", "b"], ["c"])
        with pytest.raises(WrongModel):
            client.answer("a", "b", model="moods")

    async def ask() -> Any:
        async with mh.AsyncClient(server.url) as client:
            return await client.answer(QUESTIONS[2], CONTEXTS[2])

    assert_same(asyncio.run(ask())[0], own(QUESTIONS[2], CONTEXTS[2]))


def test_kserve(http: httpx.Client, own: mh.Answerer) -> None:
    metadata = http.get("/v2/models/answers").json()
    assert [one["name"] for one in metadata["inputs"]] == ["text", "pair"]
    shape = {"shape": [4], "datatype": "BYTES"}
    said = {
        "inputs": [
            {"name": "text", **shape, "data": QUESTIONS[:4]},
            {"name": "pair", **shape, "data": CONTEXTS[:4]},
        ]
    }
    answer = http.post("/v2/models/answers/infer", json=said).raise_for_status().json()
    assert answer["outputs"][0]["data"] == [one.text for one in own(QUESTIONS[:4], CONTEXTS[:4])]
    alone = http.post("/v2/models/answers/infer", json={"inputs": said["inputs"][:1]})
    assert alone.status_code == 400
