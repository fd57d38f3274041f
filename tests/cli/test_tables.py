"""Tables in every format that the shell writes, read back by what reads them everywhere."""

from __future__ import annotations

import csv
import io
import json
import sys

import pyarrow.parquet
import pytest

from manyheads.cli.tables import read_any, read_lines, require_writable, texts_of, write_any
from manyheads.errors import DataError

COLUMNS = {
    "id": ["001", "002"],
    "text": ['a "quoted", text\nof two lines', "字符 \u2028 🎈"],
    "score": [0.25, 4.0],
    "tags": [["a", "b"], []],
}


@pytest.fixture
def stdin(monkeypatch):
    """Let stdin bring some bytes."""

    def bring(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return bring


def test_parquet_keeps_every_type(tmp_path):
    write_any(COLUMNS, str(tmp_path / "t.parquet"))
    assert pyarrow.parquet.read_table(tmp_path / "t.parquet").to_pydict() == COLUMNS


def test_json_lines_keep_every_type(tmp_path):
    write_any(COLUMNS, str(tmp_path / "t.jsonl"))
    lines = (tmp_path / "t.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    assert {name: [row[name] for row in rows] for name in COLUMNS} == COLUMNS


@pytest.mark.parametrize(("ending", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_delimited_text_keeps_line_breaks_and_quotes(tmp_path, ending, delimiter):
    path = tmp_path / f"t.{ending}"
    write_any(COLUMNS, str(path))
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter=delimiter))
    assert [row["text"] for row in rows] == COLUMNS["text"]
    assert [json.loads(row["tags"]) for row in rows] == COLUMNS["tags"]


def test_what_is_written_is_read_again(tmp_path):
    for ending in ("csv", "tsv", "jsonl", "parquet"):
        path = str(tmp_path / f"t.{ending}")
        write_any(COLUMNS, path)
        assert texts_of(read_any(path, None), "text") == COLUMNS["text"]


def test_columns_by_number_and_the_usual_one(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,0\nb,1\n")
    assert texts_of(read_any(str(path), None, ("0", None)), "0") == ["a", "b"]
    path.write_text("review\ngood\n")
    assert texts_of(read_any(str(path), None), None) == ["good"]
    path.write_text("text,label\ngood,1\n")
    assert texts_of(read_any(str(path), None), None) == ["good"]


def test_columns_of_mixed_types_are_no_parquet_and_leave_nothing(tmp_path):
    with pytest.raises(DataError, match="one type"):
        write_any({"x": [1, "a"]}, str(tmp_path / "t.parquet"))
    assert list(tmp_path.iterdir()) == []


def test_json_lines_of_stdin(stdin):
    stdin(b'{"text": "a"}\n\n{"text": null, "n": 1}\r\n')
    table = read_any("-", None)
    assert table.rows == [1, 3]
    assert texts_of(table, "text") == ["a", ""]
    assert table.columns["n"] == [None, 1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no rows"),
        (b'{"text": "a"}\nnot json\n', "line 2: not JSON"),
        (b"[1]\n", "line 1: not a JSON object"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_stdin_that_is_no_table(stdin, content, said):
    stdin(content)
    with pytest.raises(DataError, match=said):
        read_any("-", None)


def test_lines_of_stdin_end_at_line_feeds_alone(stdin):
    stdin("\ufeffone\u2028still one\r\n\ntwo".encode())
    assert read_lines() == ["one\u2028still one", "", "two"]


def test_a_column_that_holds_no_texts(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "a"}\n{"text": 5}\n')
    with pytest.raises(DataError, match=r"t\.jsonl, line 2: column 'text' holds 5, of type int"):
        texts_of(read_any(str(path), None), "text")


def test_where_no_table_can_be_written(tmp_path):
    for out in (tmp_path / "t.xlsx", tmp_path / "nowhere" / "t.csv", tmp_path):
        with pytest.raises(DataError, match="--out"):
            require_writable(str(out))
    require_writable("-")
