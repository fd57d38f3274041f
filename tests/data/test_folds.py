from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import manyheads as mh
from manyheads.data import Dataset, Split
from manyheads.data.folds import cross_folds, pool
from manyheads.errors import DataError


def table(count: int = 60, classes: str = "abbccc", **options: Any) -> Dataset:
    texts = [f"第{number}行" for number in range(count)]
    labels = [classes[number % len(classes)] for number in range(count)]
    return mh.read({"text": texts, "label": labels}, **{"valid": None, **options})


def held_out(parts: list[Dataset]) -> list[list[int]]:
    return [list(part.test.rows) for part in parts if part.test is not None]


def test_every_row_is_held_out_once_and_never_learnt_then():
    parts = cross_folds(table(), 5, every_class=True)
    assert sorted(row for rows in held_out(parts) for row in rows) == list(range(1, 61))
    for part in parts:
        assert part.test is not None and part.test.name == "test"
        assert sorted([*part.train.rows, *part.test.rows]) == list(range(1, 61))
        assert part.valid is None
        assert Counter(part.test.columns["label"]) == {"a": 2, "b": 4, "c": 6}


def test_the_seed_decides():
    assert held_out(cross_folds(table(), 3, 1)) == held_out(cross_folds(table(), 3, 1))
    assert held_out(cross_folds(table(), 3, 1)) != held_out(cross_folds(table(), 3, 2))


def test_rows_that_were_held_out_to_validate_are_dealt_out_too():
    data = table(valid=0.25, test=0.2)
    assert data.test is not None
    rows = pool(data)
    assert list(rows.rows) == sorted(set(range(1, 61)) - set(data.test.rows))
    assert rows.columns["text"][0] == f"第{rows.rows[0] - 1}行"
    for part in cross_folds(data, 4, every_class=True):
        assert part.valid is not None and part.test is not None
        everything = [*part.train.rows, *part.valid.rows, *part.test.rows]
        assert sorted(everything) == list(rows.rows)
        assert not set(everything) & set(data.test.rows)
        assert len(part.valid) == round(36 * 15 / 48)


def test_a_validation_split_with_a_source_of_its_own_stays():
    data = table(valid={"text": ["one", "two"], "label": ["a", "b"]})
    for part in cross_folds(data, 3):
        assert part.valid is data.valid


def test_rows_of_one_text_and_questions_about_one_context_stay_together():
    texts = [f"text {number % 20}" for number in range(40)]
    data = mh.read({"text": texts, "label": ["x", "y"] * 20}, valid=None)
    for part in cross_folds(data, 4, every_class=True):
        assert part.test is not None
        assert not set(part.test.columns["text"]) & set(part.train.columns["text"])
    contexts = [f"context {number % 5}" for number in range(40)]
    columns = {"text": texts, "pair": contexts, "label": ["context"] * 40}
    split = Split("train", "asked", range(1, 41), columns)
    names = {"text": "question", "pair": "context", "label": "answers"}
    for part in cross_folds(Dataset(split, None, None, names), 5):
        assert part.test is not None
        assert len(set(part.test.columns["pair"])) == 1
    with pytest.raises(DataError, match="5 different values of 'pair'"):
        cross_folds(Dataset(split, None, None, names), 6)


def test_rows_of_one_query_stay_together():
    columns = {"text": ["ab"[n % 2] for n in range(8)], "pair": [str(n) for n in range(8)]}
    data = Dataset(Split("train", "asked", range(8), columns), None, None, {})
    for part in cross_folds(data, 2, together="text"):
        assert part.test is not None and len(set(part.test.columns["text"])) == 1


def test_plain_texts_lie_in_blocks():
    split = Split("train", "book", range(1, 13), {"text": [str(n) for n in range(12)]})
    parts = cross_folds(Dataset(split, None, None, {"text": "text"}), 3)
    assert held_out(parts) == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]


def test_labels_of_other_kinds_are_spread_evenly():
    texts = [f"text {number}" for number in range(60)]
    sets = [["common", "rare"] if number < 10 else ["common"] for number in range(60)]
    for part in cross_folds(mh.read({"text": texts, "label": sets}, valid=None), 5):
        assert part.test is not None
        assert sum("rare" in labels for labels in part.test.columns["label"]) == 2
    numbers = [number / 7 for number in range(60)]
    for part in cross_folds(mh.read({"text": texts, "label": numbers}, valid=None), 3):
        assert part.test is not None
        assert sum(value < 30 / 7 for value in part.test.columns["label"]) in (9, 10, 11)


def test_too_few_and_too_many_folds_are_refused():
    with pytest.raises(DataError, match="folds=1 holds nothing out"):
        cross_folds(table(), 1)
    with pytest.raises(DataError, match="folds=61 is more than the 60 different rows"):
        cross_folds(table(), 61)
    with pytest.raises(DataError, match=r"10 different rows .* label 'a'; choose at most 10"):
        cross_folds(table(), 11, every_class=True)
    with pytest.raises(DataError, match=r"only one row .* label 'a'"):
        cross_folds(table(6), 3, every_class=True)
    assert len(cross_folds(table(6), 3)) == 3
