from __future__ import annotations

import random
import sys
import warnings
from types import ModuleType
from typing import Any

import pytest
from tests import tiny

import manyheads as mh
from manyheads.errors import DataError, MissingExtra, RecipeError
from manyheads.text import Cleaning
from manyheads.train.analysis.label_errors import find_label_errors

pytest.importorskip("cleanlab", reason="cleanlab, which finds wrong labels, is not installed")

CLASSES = ("good", "bad", "so-so")


def test_most_wrong_labels_are_found():
    rows = tiny.mood_rows(300, CLASSES)
    wrong = set(random.Random(3).sample(range(300), 18))
    planted = [
        (text, CLASSES[(CLASSES.index(label) + 1) % 3] if row in wrong else label)
        for row, (text, label) in enumerate(rows)
    ]
    learner = mh.Learner(tiny.SCRATCH, mh.Classification(), tiny.table(planted), quiet=True)
    found = learner.label_errors(30)
    places = [int(one.where.rpartition(" ")[2]) - 1 for one in found]
    assert len(wrong & set(places)) >= 15
    assert len(set(places) - wrong) <= 6
    right = [one.suggestion == rows[row][1] for one, row in zip(found, places, strict=True)]
    assert sum(right) >= 15
    surest = [one.confidence for one in found]
    assert surest == sorted(surest) and len(learner.label_errors(5)) == 5


def test_large_data_are_drawn_from_and_rare_labels_left_out():
    rows = [*tiny.mood_rows(100), ("once", "rare")]
    task = mh.Classification(labels=("bad", "good", "rare"))
    split = tiny.table(rows).train
    assert find_label_errors(task, split, Cleaning(), most_rows=60) == []
    with pytest.raises(DataError, match="at least two labels"):
        find_label_errors(task, split, Cleaning(), most_rows=6)


def test_other_tasks_have_none():
    with pytest.raises(RecipeError, match="this task is regression"):
        find_label_errors(mh.Regression(), tiny.moods(8).train, Cleaning(), most_rows=10)


def test_without_cleanlab_nothing_is_learnt_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    monkeypatch.setattr("manyheads.train.analysis.label_errors.predict_labels", None)
    split = tiny.moods(40).train
    with pytest.raises(MissingExtra, match="wrong labels"):
        find_label_errors(mh.Classification(), split, Cleaning(), 100)


def test_looking_for_wrong_labels_silences_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """As cleanlab does on import where the package datasets is installed."""

    class Silencing(ModuleType):
        def __getattr__(self, name: str) -> Any:
            warnings.filterwarnings("ignore")
            return lambda *_, **__: []

    monkeypatch.setitem(sys.modules, "cleanlab.filter", Silencing("cleanlab.filter"))
    split = tiny.moods(40).train
    with warnings.catch_warnings():
        before = list(warnings.filters)
        assert find_label_errors(mh.Classification(), split, Cleaning(), 100) == []
        assert list(warnings.filters) == before
