"""Models that write over HTTP: the service's own wire, and OpenAI's unmodified client."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serve import models as readers
from tests.writer import models

import manyheads as mh
from manyheads.generate import Beam, Greedy, Sample
from manyheads.writer import summarize, translate

from .server import Server, serving

openai = pytest.importorskip("openai")
TEXTS = ["The cat sat on the mat.", "A hot dog", "你好。再见！"]
LONG = "The cat sat on the mat, and the dog sat on the log! A hot dog is no dog. " * 6
DIALOGUE = [
    {"role": "system", "content": "You know capitals."},
    {"role": "user", "content": "What is the capital of France?"},
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("writing")
    return {
        "chat": models.publish(root / "chat", "llama", chat=models.CHAT),
        "reader": models.publish(root / "reader", "t5", generation={"max_new_tokens": 8}),
        "endless": models.endless(root / "endless"),
        "masks": readers.masks(root / "masks"),
    }


@pytest.fixture(scope="module")
def server(folders: dict[str, Path]) -> Iterator[Server]:
    with serving(*(f"{name}={folder}" for name, folder in folders.items())) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as made:
        yield made


@pytest.fixture(scope="module")
def theirs(server: Server) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def asked(client: httpx.Client, route: str, **said: Any) -> Any:
    answer = client.post(f"/v1/{route}", json=said)
    assert answer.status_code == 200, answer.text
    return answer.json()


def events(client: httpx.Client, **said: Any) -> list[Any]:
    with client.stream("POST", "/v1/generate", json={**said, "stream": True}) as answer:
        assert answer.status_code == 200 and "text/event-stream" in answer.headers["content-type"]
        lines = [line for line in answer.iter_lines() if line]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def test_generate(client: httpx.Client, folders: dict[str, Path]) -> None:
    own = mh.Generator(folders["chat"])
    found = asked(client, "generate", inputs=TEXTS, max_tokens=9)
    assert found["model"] == "chat"  # the first that writes
    expected = own(TEXTS, mh.Wording(max_tokens=9))
    assert [one["text"] for one in found["items"]] == expected
    assert all(one["truncated"] == 0 and one["tokens"] > 0 for one in found["items"])
    best = asked(client, "generate", inputs=TEXTS[0], beams=3, n_best=2, max_tokens=5, details=True)
    (item,) = best["items"]
    outputs = own.outputs(TEXTS[:1], mh.Wording(Beam(3), n_best=2, max_tokens=5))[0]
    assert [one["text"] for one in item["outputs"]] == [one.text for one in outputs]
    assert item["outputs"][0]["log_probs"] == pytest.approx(outputs[0].log_probs, abs=1e-4)


def test_a_seed_that_nobody_names_is_told_and_can_be_named(client: httpx.Client) -> None:
    first = asked(client, "generate", inputs=TEXTS[0], temperature=1.5, max_tokens=20)
    again = asked(
        client, "generate", inputs=TEXTS[0], temperature=1.5, max_tokens=20, seed=first["seed"]
    )
    other = asked(client, "generate", inputs=TEXTS[0], temperature=1.5, max_tokens=20)
    assert again["items"] == first["items"] and other["items"] != first["items"]


def test_a_stream(client: httpx.Client, folders: dict[str, Path]) -> None:
    own = mh.Generator(folders["chat"])
    for text in TEXTS:
        *pieces, last = events(client, inputs=text, max_tokens=15)
        assert len(pieces) > 1
        assert "".join(one["text"] for one in pieces) == last["done"]["text"]
        assert last["done"]["text"] == own(text, mh.Wording(max_tokens=15))
        assert last["done"]["finish"] in ("end", "length")
    # Before there is any piece, what is wrong is an answer like any other.
    for said in ({"inputs": TEXTS}, {"inputs": TEXTS[0], "max_tokens": 5000}):
        answer = client.post("/v1/generate", json={**said, "stream": True})
        assert answer.status_code in (400, 422) and answer.json()["error"]["message"]


def test_documents(client: httpx.Client, folders: dict[str, Path]) -> None:
    own = mh.Generator(folders["reader"])
    found = asked(client, "translate", model="reader", inputs=[LONG, TEXTS[0]])
    expected = [one.text for one in translate(own, [LONG, TEXTS[0]])]
    assert [one["text"] for one in found["items"]] == expected
    found = asked(client, "summarize", model="reader", inputs=LONG, max_tokens=4)
    (short,) = summarize(own, [LONG], mh.Wording(max_tokens=4))
    assert found["items"][0]["text"] == short.text
    answer = client.post("/v1/translate", json={"model": "chat", "inputs": "a", "target": "German"})
    assert answer.status_code == 200


def test_masks(client: httpx.Client, folders: dict[str, Path]) -> None:
    own = mh.load(folders["masks"])
    texts = [f"the {own.mask} words", f"{own.mask} and {own.mask}"]
    found = asked(client, "fill-mask", inputs=texts, top=3)
    assert found["mask"] == own.mask
    for item, filled in zip(found["items"], own(texts, top=3), strict=True):
        assert item["text"] == filled.text
        for some, candidates in zip(item["masks"], filled.candidates, strict=True):
            assert [one["token"] for one in some] == [one.token for one in candidates]
    answer = client.post("/v1/fill-mask", json={"inputs": "no mask at all"})
    assert answer.status_code == 422 and "no mask" in answer.json()["error"]["message"]


def test_completions(theirs: Any, folders: dict[str, Path]) -> None:
    own = mh.Generator(folders["chat"])
    answer = theirs.completions.create(model="chat", prompt=TEXTS, max_tokens=9, temperature=0)
    expected = own.outputs(TEXTS, mh.Wording(Greedy(), max_tokens=9))
    assert [one.text for one in answer.choices] == [one[0].text for one in expected]
    assert [one.index for one in answer.choices] == [0, 1, 2]
    assert answer.usage.completion_tokens == sum(len(one[0].tokens) for one in expected)
    assert answer.object == "text_completion" and answer.id.startswith("text_completion")
    several = theirs.completions.create(
        model="chat", prompt=TEXTS[0], n=3, seed=7, temperature=1.2, max_tokens=9, logprobs=0
    )
    for number, choice in enumerate(several.choices):
        wording = mh.Wording(Sample(1.2), seed=7 + number, max_tokens=9)
        (output,) = own.outputs(TEXTS[:1], wording)[0]
        assert choice.text == output.text and choice.logprobs.tokens == list(output.tokens)
    ids = own.model.require_tokenizer().encode(TEXTS[:1], frame=False)[0].pieces[0].ids.tolist()
    echoed = theirs.completions.create(
        model="chat", prompt=ids, max_tokens=9, temperature=0, echo=True
    )
    assert echoed.choices[0].text == TEXTS[0] + expected[0][0].text


def test_chat(theirs: Any, folders: dict[str, Path]) -> None:
    own = mh.Generator(folders["chat"])
    expected = own.chat(DIALOGUE, mh.Wording(Greedy(), max_tokens=12))
    answer = theirs.chat.completions.create(
        model="chat", messages=DIALOGUE, max_completion_tokens=12, temperature=0, logprobs=True
    )
    (choice,) = answer.choices
    assert choice.message.content == expected and choice.message.role == "assistant"
    assert choice.finish_reason == "length"
    assert len(choice.logprobs.content) == answer.usage.completion_tokens == 12
    parts = [
        {"role": one["role"], "content": [{"type": "text", "text": one["content"]}]}
        for one in DIALOGUE
    ]
    same = theirs.chat.completions.create(
        model="chat", messages=parts, max_tokens=12, temperature=0, stop=["zzzz"]
    )
    assert same.choices[0].message.content == expected


def test_streams_of_openai(theirs: Any, folders: dict[str, Path]) -> None:
    own = mh.Generator(folders["chat"])
    told = {"model": "chat", "stream": True, "stream_options": {"include_usage": True}}
    chunks = list(
        theirs.chat.completions.create(messages=DIALOGUE, max_tokens=12, n=2, seed=3, **told)
    )
    assert {one.object for one in chunks} == {"chat.completion.chunk"}
    assert len({one.id for one in chunks}) == 1
    for index in range(2):
        parts = [one.choices[0] for one in chunks if one.choices and one.choices[0].index == index]
        assert parts[0].delta.role == "assistant" and parts[-1].finish_reason == "length"
        text = "".join(one.delta.content or "" for one in parts)
        assert text == own.chat(DIALOGUE, mh.Wording(Sample(), seed=3 + index, max_tokens=12))
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 24
    chunks = list(theirs.completions.create(prompt=TEXTS, max_tokens=9, temperature=0, **told))
    for index, text in enumerate(TEXTS):
        found = "".join(
            one.choices[0].text for one in chunks if one.choices and one.choices[0].index == index
        )
        assert found == own(text, mh.Wording(Greedy(), max_tokens=9))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"logit_bias": {"3": 1.0}}, "logit_bias"),
        ({"max_tokens": 5000}, "choose max_tokens"),
        ({"prompt": [100_000]}, "token ids"),
        ({"prompt": []}, "prompt is empty"),
        ({"best_of": 4}, "best_of"),
        ({"model": "masks"}, "writes no texts"),
        ({"temperature": 3}, "temperature"),
    ],
)
def test_what_cannot_be_done_is_refused(theirs: Any, said: dict[str, Any], why: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        theirs.completions.create(**{"model": "chat", "prompt": "a", "max_tokens": 2, **said})
    assert why in str(refused.value)


def test_a_model_that_was_taught_no_dialogues(theirs: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="no chat template"):
        theirs.chat.completions.create(model="endless", messages=DIALOGUE)


def test_whoever_leaves_a_stream_is_forgotten(client: httpx.Client, server: Server) -> None:
    said = {"model": "endless", "inputs": "The cat", "max_tokens": 15_000, "stream": True}
    with (
        httpx.Client(base_url=server.url, timeout=30) as leaving,
        leaving.stream("POST", "/v1/generate", json=said) as answer,
    ):
        pieces = [next(answer.iter_lines()) for _ in range(1)]
    assert pieces
    time.sleep(0.5)
    before = written(client)
    time.sleep(1.0)
    assert written(client) == before  # nobody writes on
    late = client.post("/v1/generate", json={**said, "stream": False, "timeout": 0.3})
    assert late.status_code == 408 and late.json()["error"]["type"] == "DeadlineExceeded"


def written(client: httpx.Client) -> float:
    """How many steps the model that never ends has taken, by what it tells Prometheus."""
    name = 'manyheads_batch_tokens_count{model="endless"}'
    lines = client.get("/metrics").text.splitlines()
    return float(next((line.split()[-1] for line in lines if line.startswith(name)), 0))


def test_the_open_inference_protocol(client: httpx.Client, folders: dict[str, Path]) -> None:
    own, filler = mh.Generator(folders["chat"]), mh.load(folders["masks"])

    def infer(model: str, texts: list[str], **parameters: Any) -> httpx.Response:
        text = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts}
        said = {"inputs": [text], "parameters": parameters}
        return client.post(f"/v2/models/{model}/infer", json=said)

    (output,) = infer("chat", TEXTS, max_tokens=9, temperature=0).json()["outputs"]
    assert output["data"] == own(TEXTS, mh.Wording(Greedy(), max_tokens=9))
    masked = f"the {filler.mask} words"
    (output,) = infer("masks", [masked]).json()["outputs"]
    assert output["data"] == [filler(masked).text]
    for model in ("chat", "masks"):
        said = client.get(f"/v2/models/{model}").json()
        assert [one["name"] for one in said["outputs"]] == ["text"]
    for wrong in ({"tokens": 3}, {"temperature": -1}):
        refused = infer("chat", TEXTS, **wrong)
        assert refused.status_code == 400 and next(iter(wrong)) in refused.json()["error"]
    assert client.get("/info").json()["model_type"] == {"writing": {}}
