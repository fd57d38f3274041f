"""Models that write, asked by the client: the same texts as the library writes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.client.scripted import Reply, answering
from tests.serve import models as readers
from tests.serve.http.server import Server, serving
from tests.writer import models

import manyheads as mh
from manyheads.client import Search
from manyheads.errors import (
    DeadlineExceeded,
    GenerationError,
    ManyHeadsError,
    OutOfMemory,
    Unreachable,
)
from manyheads.generate import Beam
from manyheads.writer import summarize, translate

TEXTS = ["The cat sat on the mat.", "A hot dog", "你好。再见！"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("writing")
    return {
        "writer": models.publish(root / "writer", "llama"),
        "reader": models.publish(root / "reader", "t5", generation={"max_new_tokens": 8}),
        "endless": models.endless(root / "endless"),
        "masks": readers.masks(root / "masks"),
    }


@pytest.fixture(scope="module")
def server(folders: dict[str, Path]) -> Iterator[Server]:
    with serving(*(f"{name}={folder}" for name, folder in folders.items())) as running:
        yield running


def test_texts_are_gone_on_with(client: mh.Client, folders: dict[str, Path]) -> None:
    own = mh.Generator(folders["writer"])
    found = client.generate(TEXTS, Search(max_tokens=9))
    assert [one["text"] for one in found] == own(TEXTS, mh.Wording(max_tokens=9))
    (best,) = client.generate(TEXTS[0], Search(beams=3, n_best=2, max_tokens=5, banned=["cat"]))
    wording = mh.Wording(Beam(3), n_best=2, max_tokens=5, banned=("cat",))
    expected = [one.text for one in own.outputs(TEXTS[:1], wording)[0]]
    assert [one["text"] for one in best["outputs"]] == expected
    with pytest.raises(ManyHeadsError, match="of different searches"):
        client.generate(TEXTS, Search(beams=2, temperature=0.5))
    with pytest.raises(GenerationError, match=r"^text 2"):
        client.generate(["a", "a" * 5000], Search(max_tokens=2))


def test_piece_by_piece(server: Server, client: mh.Client, folders: dict[str, Path]) -> None:
    own, search = mh.Generator(folders["writer"]), Search(max_tokens=15)
    for text in TEXTS:
        pieces = list(client.stream(text, search))
        assert len(pieces) > 1
        assert "".join(pieces) == own(text, mh.Wording(max_tokens=15))

    async def written() -> str:
        async with mh.AsyncClient(server.url) as asking:
            return "".join([piece async for piece in asking.stream(TEXTS[0], search)])

    assert asyncio.run(written()) == own(TEXTS[0], mh.Wording(max_tokens=15))
    with pytest.raises(ManyHeadsError, match="max_tokens=100000"):
        next(client.stream("a", Search(max_tokens=100_000), model="writer"))


def test_whoever_leaves_a_stream_stops_it(client: mh.Client, server: Server) -> None:
    import httpx

    pieces = client.stream("a", Search(max_tokens=19_000), model="endless")
    assert next(pieces) is not None
    pieces.close()
    deadline = time.monotonic() + 30
    while "manyheads_requests_in_work 1.0" not in httpx.get(f"{server.url}/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        list(client.stream("a", Search(max_tokens=19_000), model="endless", timeout=1))
    assert time.monotonic() - begun < 10


def test_documents(client: mh.Client, folders: dict[str, Path]) -> None:
    own = mh.Generator(folders["reader"])
    found = client.translate(TEXTS, model="reader")
    assert [one["text"] for one in found] == [one.text for one in translate(own, TEXTS)]
    (found,) = client.summarize(TEXTS[0], Search(max_tokens=6), model="reader")
    (expected,) = summarize(own, TEXTS[:1], mh.Wording(max_tokens=6))
    assert found["text"] == expected.text


def test_masks(client: mh.Client, folders: dict[str, Path]) -> None:
    own = mh.load(folders["masks"])
    texts = [f"the {own.mask} was lovely", f"{own.mask} and {own.mask}"]
    for item, filled in zip(client.fill_mask(texts, top=3), own(texts, top=3), strict=True):
        assert item["text"] == filled.text
        assert [len(mask) for mask in item["masks"]] == [3] * len(filled.candidates)


def events(*said: object, **reply: object) -> Reply:
    pieces = [f"data: {json.dumps(one)}\n\n" for one in said]
    return Reply(pieces=[": open\n\n", *pieces], **reply)  # type: ignore[arg-type]


def test_streams_that_end_otherwise() -> None:
    first, done = {"text": "The"}, {"done": {"text": "The cat"}}
    lost = {"error": {"type": "OutOfMemory", "message": "too much"}}
    busy = Reply(503, {"error": {"type": "Draining", "message": "about to end"}})
    for replies, error in (
        ([busy, events(first, done)], None),
        ([Reply(breaks=True), events(first, done)], None),
        ([events(first, lost)], OutOfMemory),
        ([events(first)], Unreachable),
        ([events(first, breaks=True)], Unreachable),
    ):
        pieces = []
        with answering(*replies) as script, mh.Client(script.url) as client:
            try:
                for piece in client.stream("a"):
                    pieces.append(piece)
            except ManyHeadsError as raised:
                assert type(raised) is error
            else:
                assert error is None
            assert len(script.requests) == len(replies)
        assert pieces == ["The"]
