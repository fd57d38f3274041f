"""Predictors that answer as one say the mean, are saved as one, and open as one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import tiny

import manyheads as mh
from manyheads.errors import ConfigError

TEXTS = ["lovely food", "the table was awful and poor", "我们很高兴", ""]
QUICK = mh.Recipe(batch_size=8, learning_rate=3e-3, epochs=1, max_tokens=24)


def trained(task: Any, data: mh.Dataset, seed: int, model: Any = tiny.SCRATCH) -> Any:
    recipe = mh.Recipe(**{**dict(QUICK), "seed": seed})
    learner = mh.Learner(model, task, data, recipe, quiet=True)
    learner.fit()
    return learner.predictor()


def several(task: Any, data: mh.Dataset, count: int = 2) -> list[Any]:
    return [trained(task, data, seed) for seed in range(count)]


@pytest.fixture(scope="module")
def classifiers() -> list[mh.Predictor]:
    return several(mh.Classification(), tiny.moods(24), 3)


def test_probabilities_are_averaged(classifiers: list[mh.Predictor], tmp_path: Path):
    together = mh.ensemble(classifiers)
    expected = np.mean([one.probabilities(TEXTS) for one in classifiers], axis=0)
    assert np.allclose(together.probabilities(TEXTS), expected, atol=1e-6)
    assert [str(one) for one in together(TEXTS)] == [
        together.labels[best] for best in expected.argmax(axis=1)
    ]
    together.save(tmp_path / "all")
    opened = mh.load(tmp_path / "all")
    assert isinstance(opened, mh.Predictor)
    assert np.allclose(opened.probabilities(TEXTS), expected, atol=1e-6)
    assert json.loads((tmp_path / "all/manyheads.json").read_text())["parts"] == [
        "part-1",
        "part-2",
        "part-3",
    ]
    alone = mh.load(tmp_path / "all/part-2")
    assert np.allclose(alone.probabilities(TEXTS), classifiers[1].probabilities(TEXTS), atol=1e-6)
    moved = (tmp_path / "all").rename(tmp_path / "elsewhere")
    assert np.allclose(mh.load(moved).probabilities(TEXTS), expected, atol=1e-6)


def test_sets_of_labels_are_averaged():
    rows = [(text, [label, "any"]) for text, label in tiny.mood_rows(24)]
    parts = several(mh.MultiLabel(), tiny.table(rows))
    expected = (parts[0].probabilities(TEXTS) + parts[1].probabilities(TEXTS)) / 2
    assert np.allclose(mh.ensemble(parts).probabilities(TEXTS), expected, atol=1e-6)


def test_values_are_averaged_in_their_own_units():
    rows = [(text, 250.0 if label == "good" else -50.0) for text, label in tiny.mood_rows(24)]
    data = tiny.table(rows)
    other = tiny.table([*rows[2:], ("a table", 900.0)])
    reading = mh.Learner(tiny.SCRATCH, mh.Regression(), data, QUICK, quiet=True).pretrained
    parts = [trained(mh.Regression(), one, 0, reading) for one in (data, other)]
    found = [one.value for one in mh.ensemble(parts)(TEXTS)]
    assert np.allclose(found, np.mean([[one.value for one in p(TEXTS)] for p in parts], axis=0))


def test_tags_are_averaged_before_they_are_put_in_order(tmp_path: Path):
    parts = several(mh.Tagging(), tiny.names(24))
    together = mh.ensemble(parts)
    texts = ["Anna met Béla in Bonn.", "安娜在波恩"]
    alone = [np.exp(part.check_vectors(texts)) for part in parts]
    assert np.allclose(np.exp(together.check_vectors(texts)), np.mean(alone, axis=0), atol=1e-6)
    together.save(tmp_path / "all")
    assert mh.load(tmp_path / "all")(texts) == together(texts)


def test_what_does_not_belong_together_is_refused(classifiers: list[mh.Predictor]):
    with pytest.raises(ConfigError, match="at least one"):
        mh.ensemble([])
    with pytest.raises(ConfigError, match=r"predictor 2 .* other labels \(good, so-so\)"):
        other = trained(mh.Classification(), tiny.moods(24, labels=("good", "so-so")), 0)
        mh.ensemble([classifiers[0], other])
    with pytest.raises(ConfigError, match="reads otherwise"):
        mh.ensemble([classifiers[0], trained(mh.Classification(), tiny.moods(60, seed=9), 0)])
    with pytest.raises(ConfigError, match="a TextWriter says has no mean"):
        mh.ensemble([trained(mh.Translation(), tiny.translations(8), 0, tiny.SEQ2SEQ)])
