"""Served models answer as predictors do; real models, in real processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import tiny

import manyheads as mh
from manyheads.errors import ConfigError, TextError
from manyheads.serve.crew import Crew
from manyheads.serve.items import Lane
from manyheads.serve.model import Asking, ServedEmbedder, ServedModel
from manyheads.serve.opening import served
from manyheads.serve.predictors import ServedLabeller
from manyheads.serve.process import WorkerProcess
from manyheads.serve.reading import Cut
from manyheads.serve.reception import Limits

from . import models
from .models import TEXTS


def serving(reference: str | Path, work: Callable[[Any], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        crew = Crew([WorkerProcess({"reference": str(reference)})])
        await crew.start()
        with ThreadPoolExecutor(1) as threads:
            model = served("tiny", crew, Limits(batch_tokens=256), threads)
            try:
                return await work(model)
            finally:
                await model.reception.drain(timeout=0)

    return asyncio.run(main())


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.embedder(tmp_path_factory.mktemp("embedder"))


def close(found: Any, expected: np.ndarray) -> None:
    np.testing.assert_allclose(np.stack(list(found)), expected, atol=1e-5)


def test_vectors_are_those_of_the_embedder(embedder: Path) -> None:
    own = mh.load(embedder)

    async def work(model: ServedModel) -> None:
        assert isinstance(model, ServedEmbedder) and model.dimensions == own.dimensions
        found = await model.embed(TEXTS, Asking())
        close((one.value for one in found), own(TEXTS))
        expected = own.embed(TEXTS)
        assert [one.tokens for one in found] == expected.tokens
        assert [one.dropped for one in found] == expected.truncated and max(expected.truncated) > 0
        asked = await model.embed(TEXTS, Asking(lane=Lane.BULK), prompt="query", dimensions=5)
        close((one.value for one in asked), own(TEXTS, prompt="query", dimensions=5))
        for one, wanted in zip(await model.tokens(TEXTS, Asking()), own.tokens(TEXTS), strict=True):
            close(one.value, wanted[None])
        assert await model.embed([], Asking()) == []

    serving(embedder, work)


def test_a_long_text_is_cut_as_the_client_says(embedder: Path) -> None:
    own = {
        cut: mh.Embedder.open(embedder, truncation=truncation)(TEXTS)
        for cut, truncation in {
            Cut.HEAD: mh.Head(24),
            Cut.TAIL: mh.Tail(24),
            Cut.WINDOWS: mh.Windows(24),
        }.items()
    }

    async def work(model: ServedEmbedder) -> None:
        for cut, expected in own.items():
            close((one.value for one in await model.embed(TEXTS, Asking(cut))), expected)
        with pytest.raises(TextError, match=r"text 8 has \d+ tokens and the model reads 24"):
            await model.embed(TEXTS, Asking(Cut.ERROR))
        assert len(await model.embed(TEXTS[:3], Asking(Cut.ERROR))) == 3

    serving(embedder, work)


def test_bad_input(embedder: Path) -> None:
    async def work(model: ServedEmbedder) -> None:
        with pytest.raises(ConfigError, match="no prompt 'ask'"):
            await model.embed(TEXTS, Asking(), prompt="ask")
        with pytest.raises(ConfigError, match="dimensions=0"):
            await model.embed(TEXTS, Asking(), dimensions=0)
        with pytest.raises(TextError):
            await model.embed(["a", 3], Asking())  # type: ignore[list-item]

    serving(embedder, work)


@pytest.mark.parametrize("paired", [False, True])
def test_labels_are_those_of_the_predictor(tmp_path: Path, paired: bool) -> None:
    own = mh.load(models.classifier(tmp_path, paired))
    texts, pairs = TEXTS, TEXTS[::-1] if paired else None

    async def work(model: ServedModel) -> None:
        assert isinstance(model, ServedLabeller) and tuple(model.labels) == own.labels
        found = [one.value for one in await model.predict(texts, Asking(), pairs)]
        expected = own(texts, pairs)
        assert [one.said["label"] for one in found] == [one.label for one in expected]
        close((one.outputs for one in found), own.outputs(texts, pairs).numpy())
        if paired:
            with pytest.raises(TextError, match="trained on pairs; send a second text each"):
                await model.predict(texts, Asking())

    serving(tmp_path, work)


def test_models_of_no_use_to_a_service_are_refused(tmp_path: Path) -> None:
    async def nothing(model: ServedModel) -> None: ...

    with pytest.raises(mh.ManyHeadsError, match="nowhere"):
        serving(tmp_path / "nowhere", nothing)


def test_the_service_itself_does_not_import_torch() -> None:
    """It starts at once, and holds little memory."""
    program = "import sys, manyheads.serve.service\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, env=tiny.ENVIRONMENT)
