"""What a served model writes is what the model writes, whoever else is written for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests import tiny
from tests.writer import models

import manyheads as mh
from manyheads.errors import GenerationError, ManyHeadsError
from manyheads.generate import Beam, Greedy, Sample
from manyheads.serve.crew import Crew
from manyheads.serve.notes import Notes, noting
from manyheads.serve.opening import served
from manyheads.serve.orders import Writing
from manyheads.serve.process import WorkerProcess
from manyheads.serve.reception import Limits
from manyheads.serve.served_writer import ServedWriter
from manyheads.writer import summarize, translate

TEXTS = ["The cat sat on the mat.", "A hot dog", "你好。再见！", "the log", "Paris is a capital"]
LONG = "The cat sat on the mat, and the dog sat on the log! A hot dog is no dog. " * 6
DIALOGUE = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tasks = {"summarization": {"prefix": "summarize: ", "max_length": 12, "num_beams": 2}}
    folder = tmp_path_factory.mktemp("t5")
    config = {"task_specific_params": tasks}
    return models.publish(folder, "t5", config=config, generation={"max_new_tokens": 8})


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.publish(tmp_path_factory.mktemp("llama"), "llama", chat=models.CHAT)


def serving(folder: Path, work: Callable[[ServedWriter], Awaitable[Any]], **limits: Any) -> Any:
    async def main() -> Any:
        crew = Crew([WorkerProcess({"reference": str(folder)})])
        await crew.start()
        with ThreadPoolExecutor(1) as threads:
            model = served("tiny", crew, Limits(**limits), threads)
            assert isinstance(model, ServedWriter)
            try:
                async with asyncio.timeout(60):
                    return await work(model)
            finally:
                await model.reception.drain(timeout=0)

    return asyncio.run(main())


async def best(model: ServedWriter, texts: list[str], **wording: Any) -> list[str]:
    found = await model.write(Writing.OUTPUT, texts, wording)
    return [one.value["outputs"][0]["text"] for one in found]


@pytest.mark.parametrize("kind", ["t5", "llama"])
def test_many_at_once_are_written_as_one_alone(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    own = mh.load(folder)
    assert isinstance(own, mh.Generator)
    searches = [
        ({"max_tokens": 9}, mh.Wording(max_tokens=9)),
        ({"beams": 3, "n_best": 2, "max_tokens": 7}, mh.Wording(Beam(3), n_best=2, max_tokens=7)),
        ({"temperature": 0, "min_tokens": 3}, mh.Wording(Greedy(), min_tokens=3)),
        (
            {"temperature": 0.9, "top_p": 0.8, "seed": 5, "max_tokens": 9},
            mh.Wording(Sample(0.9, top_p=0.8), seed=5, max_tokens=9),
        ),
        (
            {"max_tokens": 12, "banned": ["e"], "prefix": "The", "stop": ["x"]},
            mh.Wording(max_tokens=12, banned=("e",), prefix="The", stop=("x",)),
        ),
    ]

    async def work(model: ServedWriter) -> None:
        found = await asyncio.gather(
            *(model.write(Writing.OUTPUT, TEXTS, said) for said, _ in searches)
        )
        for results, (_, wording) in zip(found, searches, strict=True):
            for result, outputs in zip(results, own.outputs(TEXTS, wording), strict=True):
                assert not isinstance(result.value, ManyHeadsError)
                for said, output in zip(result.value["outputs"], outputs, strict=True):
                    assert said["text"] == output.text
                    assert said["tokens"] == list(output.tokens)
                    assert said["score"] == pytest.approx(output.score, abs=1e-4)
                    assert said["finish"] == output.finish.value

    serving(folder, work, rows=5)


def test_what_is_read_and_written_is_noted(t5: Path) -> None:
    async def work(model: ServedWriter) -> None:
        for writing in (Writing.OUTPUT, Writing.SUMMARY):
            with noting(noted := Notes()):
                found = await model.write(writing, TEXTS[:2], {"max_tokens": 6, "min_tokens": 6})
            assert noted.written == sum(one.value["written"] for one in found) == 12
            assert (noted.model, noted.items) == ("tiny", 2)
            assert noted.tokens > 2 and noted.waited > 0

    serving(t5, work)


def test_pieces_are_the_text(llama: Path) -> None:
    own = mh.Generator(llama)

    async def work(model: ServedWriter) -> None:
        for text in TEXTS:
            wording = {"max_tokens": 20}
            (ordered,) = await model.order(Writing.OUTPUT, [text], [wording], streams=True)
            with ordered:
                pieces = [piece async for piece in ordered.pieces()]
                whole = await ordered.whole()
            assert "".join(pieces) == whole["outputs"][0]["text"]
            assert "".join(pieces) == own(text, mh.Wording(max_tokens=20))
            assert len(pieces) > 1

    serving(llama, work)


def test_replies(llama: Path) -> None:
    own = mh.Generator(llama)

    async def work(model: ServedWriter) -> None:
        (found,) = await model.write(Writing.REPLY, [DIALOGUE], {"max_tokens": 9})
        assert found.value["outputs"][0]["text"] == own.chat(DIALOGUE, mh.Wording(max_tokens=9))
        # A reply whose length nobody names may fill what room there is.
        (whole,) = await model.write(Writing.REPLY, [DIALOGUE], {"banned": ["</s>"]})
        tokens = whole.value["read"] + len(whole.value["outputs"][0]["tokens"])
        assert tokens == own.model.transformer.spec.max_tokens + 1

    serving(llama, work)


def test_documents(t5: Path) -> None:
    own = mh.Generator(t5)

    async def work(model: ServedWriter) -> None:
        texts = [LONG, "", *TEXTS]
        (found, short) = await asyncio.gather(
            model.write(Writing.TRANSLATION, texts, {}),
            model.write(Writing.SUMMARY, [LONG, TEXTS[0]], {"max_tokens": 4}),
        )
        expected = list(translate(own, texts))
        assert [one.value["text"] for one in found] == [one.text for one in expected]
        assert found[0].value["written"] == sum(len(part.tokens) for part in expected[0].parts)
        shorter = list(summarize(own, [LONG, TEXTS[0]], mh.Wording(max_tokens=4)))
        assert [one.value["text"] for one in short] == [one.text for one in shorter]

    serving(t5, work)


def test_what_cannot_be_written_does_not_take_others_with_it(llama: Path) -> None:
    async def work(model: ServedWriter) -> None:
        tasks = [
            best(model, TEXTS, max_tokens=5),
            model.write(Writing.OUTPUT, ["word " * 400, TEXTS[0]], {"max_tokens": 5}),
            model.write(Writing.OUTPUT, TEXTS[:1], {"beams": 2, "temperature": 0.5}),
            model.write(Writing.OUTPUT, TEXTS[:1], {"max_tokens": 5000}),
            model.write(Writing.REPLY, [[{"role": "user", "content": "word " * 400}]], {}),
            model.write(Writing.TRANSLATION, TEXTS[:1], {}),
        ]
        good, (long, beside), (mixed,), (wide,), (dialogue,), (whither,) = await asyncio.gather(
            *tasks
        )
        assert good == [mh.Generator(llama)(text, mh.Wording(max_tokens=5)) for text in TEXTS]
        assert not isinstance(beside.value, ManyHeadsError)
        for refused, why in (
            (long, "exceed the 96 that this model reads"),
            (mixed, "are of different searches"),
            (wide, "choose max_tokens of at most"),
            (dialogue, "exceed the 96"),
            (whither, "must be told the language"),
        ):
            assert isinstance(refused.value, GenerationError) and why in str(refused.value)

    serving(llama, work)


def test_a_trained_model_cuts_and_cleans_as_in_training(tmp_path: Path) -> None:
    learner = mh.Learner(
        mh.ScratchSeq2Seq(width=16, layers=1, heads=2), mh.Translation(), tiny.translations()
    )
    learner.fit(epochs=1)
    folder = learner.predictor().save(tmp_path / "saved")
    own = mh.load(folder)
    texts = ["  three\tfour ", "one " * 2000]

    async def work(model: ServedWriter) -> None:
        found = await model.write(Writing.OUTPUT, texts, {})
        assert [one.value["outputs"][0]["text"] for one in found] == own(texts)
        assert found[1].dropped > 0

    serving(folder, work)
