"""One table for several heads: the same rows held out for all, labels that may be missing."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from tests import tiny

import manyheads as mh
from manyheads.data import joined
from manyheads.errors import DataError


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "all.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "mood", "stars"])
        for number, (text, mood) in enumerate(tiny.mood_rows(40)):
            stars = "" if number % 4 == 0 else number / 2
            writer.writerow([f"{text} 第{number}句", mood, stars])
    return path


LABELS = {"mood": "mood", "score": "stars"}


def test_a_row_without_a_label_is_left_out_for_that_head_alone(table: Path) -> None:
    data = mh.read_heads(table, LABELS, valid=0, seed=3)
    assert data.train.columns["head"].count("mood") == 40
    assert data.train.columns["head"].count("score") == 30
    assert data.valid is None and data.test is None
    scores = data.sets()["score"].train
    assert all(isinstance(one, float) for one in scores.columns["label"])
    assert scores.describe(0) == f"{table}, line 3"


def test_the_same_rows_are_held_out_for_all_heads(table: Path) -> None:
    data = mh.read_heads(table, LABELS, valid=0.2, test=0.1)
    lines = {
        head: {split.name: set(split.rows) for split in one.splits()}
        for head, one in data.sets().items()
    }
    assert {name: len(rows) for name, rows in lines["mood"].items()} == {
        "train": 28,
        "valid": 8,
        "test": 4,
    }
    for name, rows in lines["score"].items():
        assert rows < lines["mood"][name]
    again = mh.read_heads(table, LABELS, valid=0.2, test=0.1)
    assert again.fingerprint() == data.fingerprint()
    assert mh.read_heads(table, LABELS, valid=0.2, seed=1).fingerprint() != data.fingerprint()


def test_other_tables_may_be_the_other_splits(table: Path) -> None:
    data = mh.read_heads(table, LABELS, valid=table, test=table)
    assert [len(split) for split in data.splits()] == [70, 70, 70]


def test_a_class_that_is_rare_for_one_head_stays(tmp_path: Path) -> None:
    rows = tiny.mood_rows(40)
    kinds = ["rare" if number == 7 else "usual" for number in range(40)]
    columns = {
        "text": [f"{number} {text}" for number, (text, _) in enumerate(rows)],
        "mood": [mood for _, mood in rows],
        "kind": kinds,
    }
    labels = {"mood": "mood", "kind": "kind"}
    for seed in range(12):
        sets = mh.read_heads(columns, labels, valid=0.2, test=0.1, seed=seed).sets()
        assert "rare" in sets["kind"].train.columns["label"]
        for name, count in (("valid", 8), ("test", 4)):
            mood, kind = (getattr(sets[head], name) for head in labels)
            assert mood.rows == kind.rows
            assert mood.columns["label"].count("good") == count / 2


def test_a_folder_may_bring_its_own_splits(table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("train.csv", "test.csv"):
        (folder / name).write_bytes(table.read_bytes())
    data = mh.read_heads(folder, LABELS, valid=0.1)
    sets = data.sets()
    assert [len(split) for split in sets["mood"].splits()] == [36, 4, 40]
    assert sets["score"].test is not None and len(sets["score"].test) == 30
    columns = {"text": ["a", "b"], "mood": ["x", "y"], "tone": ["u", "v"]}
    memory = mh.read_heads({"train": columns, "test": columns}, {"a": "mood", "b": "tone"}, valid=0)
    assert [len(split) for split in memory.splits()] == [4, 4]


def test_columns_without_a_header_are_given_by_number(tmp_path: Path) -> None:
    path = tmp_path / "bare.csv"
    path.write_text("lovely,good,3\nawful,bad,4\n")
    data = mh.read_heads(path, {"mood": 1, "stars": 2}, text=0, valid=0)
    assert data.train.columns["label"] == ["good", "bad", 3, 4]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({}, "no column of labels is given"),
        ({"a": "nothing"}, "nothing"),
        ({"a": "text", "b": "mood"}, "cannot serve twice"),
        ({"a": "empty"}, "no row has a label for the head 'a'"),
    ],
)
def test_what_is_wrong_is_said(labels: dict[str, str], said: str) -> None:
    columns: dict[str, Any] = tiny.columns(tiny.mood_rows(8))
    columns = {"text": columns["text"], "mood": columns["label"], "empty": [None] * 8}
    with pytest.raises(DataError, match=said):
        mh.read_heads(columns, labels)


def test_joined_rows_stand_where_they_stood() -> None:
    moods, names = tiny.moods(10, valid=0.2), tiny.names(5)
    data = joined({"mood": moods, "names": names})
    assert data.train.columns["head"] == ["mood"] * 8 + ["names"] * 5
    assert data.valid is not None and set(data.valid.columns["head"]) == {"mood"}
    assert data.train.describe(8) == names.train.describe(0)
    taken = data.train.take([12, 0, 8])
    assert taken.columns["head"] == ["mood", "names", "names"]
    assert [taken.describe(row) for row in range(3)] == [
        moods.train.describe(0),
        names.train.describe(4),
        names.train.describe(0),
    ]
    assert "mood\n  text" in data.summary() and "names\n  text" in data.summary()


def test_heads_need_texts_with_labels() -> None:
    with pytest.raises(DataError, match=r"head 'lines': .* no labels"):
        joined({"lines": tiny.lines(4)})
    parallel = mh.read(
        {"text": ["a"], "target": ["b"], "label": ["c"]}, target="target", label="label"
    )
    with pytest.raises(DataError, match="'target' is for no head"):
        joined({"x": parallel})
