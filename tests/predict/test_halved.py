"""Predictors that multiply in bfloat16 say nearly the same, and leave others as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests import tiny
from tests.library import shelf

import manyheads as mh

TEXTS = ["a lovely film", "a dull one", "很好的电影"]

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="torch was built without oneDNN"
)


@pytest.fixture(autouse=True)
def capable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processors emulate the products: slower, and the same numbers."""
    monkeypatch.setattr("manyheads.core.packed.multiplies_bfloat16", lambda: True)


@pytest.fixture
def embedder(tmp_path: Path) -> mh.Embedder:
    opened = mh.load(shelf.model(tmp_path / "vectors"))
    assert isinstance(opened, mh.Embedder)
    return opened


def test_vectors_are_nearly_the_same(embedder: mh.Embedder, tmp_path: Path) -> None:
    before = embedder(TEXTS)
    halved = embedder.halved()
    after = halved(TEXTS)
    assert np.array_equal(embedder(TEXTS), before) and not np.array_equal(after, before)
    cosines = (after * before).sum(1) / np.linalg.norm(after, axis=1)
    cosines /= np.linalg.norm(before, axis=1)
    assert (cosines > 0.999).all()
    again = mh.load(halved.save(tmp_path / "saved"))
    assert np.allclose(again.halved()(TEXTS), after, atol=1e-6)


def test_labels_are_nearly_the_same(tmp_path: Path) -> None:
    data = tiny.moods(40)
    learner = mh.Learner(tiny.SCRATCH, mh.Classification(), data, quiet=True)
    predictor = learner.predictor()
    before = predictor.probabilities(TEXTS)
    halved = predictor.halved()
    after = halved.probabilities(TEXTS)
    assert np.array_equal(predictor.probabilities(TEXTS), before)
    assert not np.array_equal(after, before) and np.allclose(after, before, atol=0.02)
    again = mh.load(halved.save(tmp_path / "saved"))
    assert np.allclose(again.probabilities(TEXTS), after, atol=0.02)


def test_an_ensemble_is_halved_as_a_whole() -> None:
    data = tiny.moods(40)
    parts = [
        mh.Learner(
            tiny.SCRATCH, mh.Classification(), data, mh.Recipe(seed=seed), quiet=True
        ).predictor()
        for seed in (0, 1)
    ]
    together = mh.ensemble(parts)
    before, after = together.probabilities(TEXTS), together.halved().probabilities(TEXTS)
    assert not np.array_equal(after, before) and np.allclose(after, before, atol=0.02)
