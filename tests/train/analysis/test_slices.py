from __future__ import annotations

from pathlib import Path

import pytest
from tests import tiny

import manyheads as mh
from manyheads.errors import DataError
from manyheads.train.analysis.row_scores import RowScore, RowScores
from manyheads.train.analysis.slices import Slice, extra_columns, slices_of


def slices(texts: list[str], hits: list[bool], **columns: list) -> dict[tuple[str, str], Slice]:
    split = tiny.table([(text, "a") for text in texts]).train
    rows = [RowScore(float(hit), 1.0) for hit in hits]
    scores = RowScores.of("accuracy", rows, is_share=True)
    return {(s.kind, s.value): s for s in slices_of(scores, split, range(len(texts)), columns)}


def test_scripts_part_rows():
    found = slices(["a text"] * 20 + ["一段文字"] * 20 + ["текст"] * 20, [True] * 40 + [False] * 20)
    scripts = {value: one for (kind, value), one in found.items() if kind == "script"}
    assert {name: (one.rows, one.score) for name, one in scripts.items()} == {
        "Latin": (20, 1.0),
        "Han": (20, 1.0),
        "Cyrillic": (20, 0.0),
    }
    assert scripts["Cyrillic"].is_worse and not scripts["Han"].is_worse
    assert next(iter(found.values())).is_worse


def test_numbers_part_rows_by_quarters_and_words_by_value():
    texts = ["same length"] * 40
    found = slices(
        texts, [True, False] * 20, year=list(range(40)), place=["x", None] * 20, stars=[1, 2] * 20
    )
    assert [one.rows for (kind, _), one in found.items() if kind == "year"] == [10] * 4
    assert {value for kind, value in found if kind == "place"} == {"x", "(missing)"}
    assert {value for kind, value in found if kind == "stars"} == {"1", "2"}
    assert not {kind for kind, _ in found} & {"characters", "script", "class"}
    assert found["place", "(missing)"].is_worse


def test_few_rows_prove_nothing():
    found = slices(["a"] * 200 + ["一"] * 4, [True] * 200 + [False] * 4)
    assert found["script", "Han"].score == 0 and not found["script", "Han"].is_worse


def test_columns_are_found_in_the_source_again(tmp_path: Path):
    rows = [(f"text {n}", "ab"[n % 2], f"place {n}") for n in range(40)]
    path = tiny.write_csv(tmp_path / "t.csv", rows, ("text", "label", "place"))
    data = mh.read(str(path), text="text", label="label", valid=0.25)
    assert data.valid is not None
    found = extra_columns(data.valid, ["place"])["place"]
    texts = data.valid.columns["text"]
    assert list(found) == [text.replace("text", "place") for text in texts]
    with pytest.raises(DataError, match=r"no column 'plase'.*Did you mean 'place'"):
        extra_columns(data.valid, ["plase"])


def test_values_that_begin_alike_are_told_apart():
    pages = [f"https://example.org/a/very/long/path/to/page-{n % 2}" for n in range(40)]
    found = slices(["text"] * 40, [True, False] * 20, page=pages)
    assert {value: one.score for (_, value), one in found.items()} == {pages[0]: 1, pages[1]: 0}


def test_a_name_is_that_of_a_column_before_what_one_is_for(tmp_path: Path):
    rows = [(f"review {n}", "ab"[n % 2], f"text {n}") for n in range(8)]
    path = tiny.write_csv(tmp_path / "t.csv", rows, ("review", "label", "text"))
    data = mh.read(str(path), text="review", label="label", valid=0)
    assert extra_columns(data.train, ["text"])["text"] == [row[2] for row in rows]


def test_columns_without_names_are_found_by_their_number(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text("".join(f"text {n},{'ab'[n % 2]},place {n}\n" for n in range(8)))
    data = mh.read(str(path), text=0, label=1, valid=0)
    assert extra_columns(data.train, ["2"])["2"] == [f"place {n}" for n in range(8)]


def test_what_is_no_table_has_columns_by_what_they_are_for():
    split = tiny.table([("a text", "a"), ("another", "b")]).train
    assert extra_columns(split, ["text"]) == {"text": ["a text", "another"]}
    with pytest.raises(DataError, match="'place' was not kept"):
        extra_columns(split, ["place"])
