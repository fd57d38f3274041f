"""Models come, go and are exchanged while clients ask; nothing is lost on the way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import tiny
from tests.writer import models as writers

import manyheads as mh
from manyheads.core.vectors import VectorSpec
from manyheads.errors import ConfigError, ManyHeadsError, UnknownModel
from manyheads.hub.sentences import Sentences
from manyheads.serve.model import Asking
from manyheads.serve.service import Service
from manyheads.serve.settings import ModelSettings

from . import models
from .models import TEXTS


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("service")
    return {
        "vectors": models.embedder(root / "vectors"),
        "moods": models.classifier(root / "moods"),
        "writer": writers.publish(root / "writer", "llama"),
    }


def run(work: Callable[[Service], Awaitable[Any]], *given: ModelSettings, **more: Any) -> Any:
    async def main() -> Any:
        service = Service(given, **more)
        await service.start()
        try:
            async with asyncio.timeout(120):
                return await work(service)
        finally:
            await service.drain(timeout=0)

    return asyncio.run(main())


def settings(folder: Path, name: str, **more: Any) -> ModelSettings:
    return ModelSettings(str(folder), name, **{"workers": 1, "batch_tokens": 256, **more})


def test_a_model_is_exchanged_under_load(folders: dict[str, Path], tmp_path: Path) -> None:
    old = mh.load(folders["vectors"])
    fresh = mh.Embedder(
        tiny.SCRATCH.build(models.LINES), Sentences(VectorSpec((mh.Pooling.FIRST,)), max_tokens=24)
    )
    fresh.save(tmp_path / "fresh")
    before, after = old(TEXTS), mh.load(tmp_path / "fresh")(TEXTS)

    async def work(service: Service) -> None:
        seen = {"before": 0, "after": 0}

        async def client() -> None:
            while seen["after"] < 30:
                model = service.embedder("vectors")
                await asyncio.sleep(0)  # a request that has its model, and asks only now
                results = await model.embed(TEXTS, Asking())
                assert not any(isinstance(one.value, ManyHeadsError) for one in results)
                found = np.stack([one.value for one in results])
                which = "before" if np.allclose(found, before, atol=1e-5) else "after"
                np.testing.assert_allclose(found, before if which == "before" else after, atol=1e-5)
                seen[which] += 1

        clients = [asyncio.create_task(client()) for _ in range(6)]
        first = service.model("vectors")
        pids = [worker.pid for worker in first.reception.crew.workers]
        await asyncio.sleep(0.3)
        opened = await service.load(settings(tmp_path / "fresh", "vectors"))
        await asyncio.gather(*clients)
        assert seen["before"] and seen["after"] >= 30
        assert service.model("vectors") is opened.model is not first
        for _ in range(100):
            if not any(worker.is_ready for worker in first.reception.crew.workers):
                break
            await asyncio.sleep(0.05)
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    run(work, settings(folders["vectors"], "vectors"))


def test_a_model_that_is_refused_leaves_the_old_one(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    async def work(service: Service) -> None:
        old = service.model("moods")
        with pytest.raises(mh.ManyHeadsError):
            await service.load(settings(tmp_path / "nowhere", "moods"))
        assert service.model("moods") is old and service.is_ready
        assert len(await service.labeller(None).predict(["fine"], Asking())) == 1

    run(work, settings(folders["moods"], "moods"))


def test_names_come_and_go(folders: dict[str, Path]) -> None:
    async def work(service: Service) -> None:
        assert service.model("words").name == "vectors"
        service.alias("best", "moods")
        service.alias("words", "moods")
        assert service.model("words").name == service.model("best").name == "moods"
        with pytest.raises(ConfigError, match="is the name of a model"):
            service.alias("vectors", "moods")
        with pytest.raises(ConfigError, match="is an alias"):
            await service.load(settings(folders["writer"], "best"))
        await service.unload("moods")
        for name in ("moods", "best", "words"):
            with pytest.raises(UnknownModel):
                service.model(name)
        opened = await service.load(settings(folders["writer"], "best"))
        assert opened.model.reception.card["kind"] == "writing"
        service.alias("moods", "best")
        service.unalias("moods")
        with pytest.raises(UnknownModel, match="is no alias"):
            service.unalias("moods")

    given = (settings(folders["vectors"], "vectors"), settings(folders["moods"], "moods"))
    run(work, *given, aliases={"words": "vectors"})
    with pytest.raises(ConfigError, match="no model is called"):
        Service(given, aliases={"a": "b"})


def test_what_is_asked_again_is_remembered(folders: dict[str, Path]) -> None:
    async def work(service: Service) -> None:
        model = service.embedder("vectors")
        first = await model.embed(TEXTS, Asking())
        batches = model.reception.watch.batches
        again = await model.embed([*TEXTS, "a new one"], Asking())
        for one, other in zip(first, again, strict=False):
            np.testing.assert_array_equal(one.value, other.value)
        whole = await model.embed(TEXTS, Asking())
        assert len(whole) == len(TEXTS)
        assert model.reception.watch.batches == batches + 1
        assert model._batcher.cache_hits == 2 * len(TEXTS)

    run(work, settings(folders["vectors"], "vectors", cache_megabytes=1))


def test_sizes_are_chosen_where_they_are_left_open(folders: dict[str, Path]) -> None:
    async def work(service: Service) -> None:
        for opened in service.opened.values():
            assert opened.size.workers >= 1 and str(opened)
            workers = opened.model.reception.crew.workers
            assert len(workers) == opened.size.workers
        assert service.opened["vectors"].size.batch_tokens in (256, 512, 1024, 2048, 4096)
        assert service.opened["writer"].size.workers == 1
        vectors = service.opened["vectors"]
        for _ in range(400):  # the others start while the first one answers
            if all(worker.is_ready for worker in vectors.model.reception.crew.workers):
                break
            await service.embedder(None).embed(TEXTS, Asking())
            await asyncio.sleep(0.05)
        assert all(worker.is_ready for worker in vectors.model.reception.crew.workers)
        assert vectors.model.reception.watch.restarts == 0

    run(
        work,
        ModelSettings(str(folders["vectors"]), "vectors", threads=2),
        ModelSettings(str(folders["writer"]), "writer"),
    )
