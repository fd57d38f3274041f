"""Pairs of texts: what was trained on them is not asked of single texts without being told."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests import tiny

import manyheads as mh
from manyheads.errors import DataError, TextError


@pytest.fixture(scope="module")
def learner() -> mh.Learner:
    rows = tiny.mood_rows(16)
    columns = {
        "sentence1": [text for text, _ in rows],
        "sentence2": ["lovely"] * 16,
        "label": [mood for _, mood in rows],
    }
    one = mh.Learner(tiny.SCRATCH, mh.Classification(), mh.read(columns, valid=0), quiet=True)
    one.fit(epochs=1)
    return one


def test_a_model_of_pairs_asks_for_the_second_text(learner: mh.Learner, tmp_path: Path) -> None:
    own = learner.predictor()
    opened = mh.load(own.save(tmp_path / "model"))
    for predictor in (own, opened):
        with pytest.raises(TextError, match="second texts"):
            predictor("a lovely table")
    found = opened.probabilities(["桌子 lovely"], ["great"])
    assert found == pytest.approx(own.probabilities(["桌子 lovely"], ["great"]), abs=1e-6)


def test_a_model_of_single_texts_does_not(tmp_path: Path) -> None:
    one = mh.Learner(tiny.SCRATCH, mh.Classification(), tiny.moods(8), quiet=True)
    folder = one.predictor().save(tmp_path / "model")
    assert str(mh.load(folder)("a lovely table")) in ("good", "bad")
    assert "paired" not in (folder / "manyheads.json").read_text(encoding="utf-8")


def test_both_texts_of_the_hardest_pairs_are_shown(learner: mh.Learner) -> None:
    for row in learner.top_losses(3, "train"):
        assert row.text.endswith(" ‖ lovely")


@pytest.mark.parametrize("task", [mh.Classification(), mh.Regression(), mh.Reranking()])
@pytest.mark.parametrize("side", ["text", "pair"])
def test_half_a_pair_is_refused_by_its_row(task: mh.Task, side: str) -> None:
    columns = {"text": ["a", "b", "c"], "pair": ["d", "e", "f"], "label": [0, 1, 0]}
    columns[side] = [*columns[side][:2], " "]
    data = mh.read(columns, pair="pair", valid=0)
    with pytest.raises(DataError, match=rf"row 3: the {side} is empty; .*--drop-empty"):
        mh.Learner(tiny.SCRATCH, task, data, quiet=True)
    kept = mh.read(columns, pair="pair", valid=0, drop_empty=True)
    assert len(mh.Learner(tiny.SCRATCH, task, kept, quiet=True).examples["train"]) == 2
