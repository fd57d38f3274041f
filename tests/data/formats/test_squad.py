"""SQuAD's own JSON, of both versions, as a table of questions."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from manyheads.data import read, read_table
from manyheads.errors import DataError

CONTEXT = "Architecturally, the school has a Catholic character. 学校在北京。"
FIRST = {
    "title": "Notre_Dame",
    "paragraphs": [
        {
            "context": CONTEXT,
            "qas": [
                {
                    "id": "5733be28",
                    "question": "What character does it have?",
                    "answers": [
                        {"text": "Catholic", "answer_start": 34},
                        {"text": "a Catholic character", "answer_start": 32},
                    ],
                },
                {
                    "id": "x2",
                    "question": "学校在哪里？",
                    "answers": [{"text": "北京", "answer_start": 57}],
                },
            ],
        }
    ],
}
SECOND = {
    "title": "Normans",
    "paragraphs": [
        {
            "context": "The Normans were there.",
            "qas": [
                {
                    "id": "x3",
                    "question": "Who was not?",
                    "is_impossible": True,
                    "answers": [],
                    "plausible_answers": [{"text": "Normans", "answer_start": 4}],
                }
            ],
        }
    ],
}


def write(path: Path, *articles: Any, **settings: Any) -> Path:
    document = {"version": "v2.0", "data": list(articles)}
    path.write_text(json.dumps(document, **settings), encoding="utf-8")
    return path


@pytest.mark.parametrize("indent", [None, 2])
def test_rows_are_questions(tmp_path: Path, indent: int | None) -> None:
    table = read_table(write(tmp_path / "dev-v2.0.json", FIRST, SECOND, indent=indent))
    assert table.unit == "question" and list(table.rows) == [1, 2, 3]
    assert list(table.columns) == ["id", "title", "question", "context", "answers"]
    assert table.columns["id"] == ["5733be28", "x2", "x3"]
    assert table.columns["title"] == ["Notre_Dame", "Notre_Dame", "Normans"]
    assert table.columns["context"][1] == CONTEXT
    assert table.columns["answers"] == [
        {"text": ["Catholic", "a Catholic character"], "answer_start": [34, 32]},
        {"text": ["北京"], "answer_start": [57]},
        {"text": [], "answer_start": []},
    ]
    assert "questions as SQuAD has them" in table.note


def test_it_is_read_with_its_roles(tmp_path: Path) -> None:
    write(tmp_path / "train-v1.1.json", FIRST, FIRST)
    write(tmp_path / "dev-v1.1.json", SECOND)
    data = read(tmp_path)
    assert data.names == {"text": "question", "pair": "context", "label": "answers"}
    assert (len(data.train), len(data.valid)) == (4, 1)
    assert data.train.describe(2).endswith("train-v1.1.json, question 3")
    assert "train  4 rows" in data.summary() and "4 with an answer, 0 without" in data.summary()


def test_packed_files_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "train.json.gz"
    path.write_bytes(gzip.compress(write(tmp_path / "plain.json", FIRST).read_bytes()))
    assert len(read_table(path)) == 2


def test_questions_without_answers_are_a_table_without_them(tmp_path: Path) -> None:
    asked = {"context": "a", "qas": [{"id": 1, "question": "b"}, {"question": "c"}]}
    table = read_table(write(tmp_path / "asked.json", {"paragraphs": [asked]}))
    assert "answers" not in table.columns
    assert table.columns["id"] == [1, None] and table.columns["title"] == [None, None]


def test_other_json_is_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "lines.json"
    path.write_text('{"data": [1, 2], "text": "a"}\n{"data": [3], "text": "b"}\n')
    table = read_table(path)
    assert table.unit == "line" and table.columns["data"] == [[1, 2], [3]]
    path.write_text('{"data": [], "text": "a"}\n')
    assert read_table(path).columns["text"] == ["a"]


def paragraph(**changes: Any) -> dict[str, Any]:
    asked = {"id": "1", "question": "b", "answers": [{"text": "a", "answer_start": 0}]} | changes
    asked = {name: value for name, value in asked.items() if value is not ...}
    return {"title": "t", "paragraphs": [{"context": "a", "qas": [asked]}]}


@pytest.mark.parametrize(
    ("article", "message"),
    [
        ({"paragraphs": [{"qas": []}]}, r'data\[0\].paragraphs\[0\] has no text "context"'),
        ({"paragraphs": [{"context": "a"}]}, r'data\[0\].paragraphs\[0\] has no list "qas"'),
        ({"paragraphs": ["a"]}, r'data\[0\].paragraphs\[0\] has no text "context"'),
        ({"paragraphs": []}, "holds no questions"),
        (paragraph(question=3), r'data\[0\].paragraphs\[0\].qas\[0\] has no text "question"'),
        (paragraph(answers="a"), r'qas\[0\] has no list "answers"'),
        (paragraph(answers=["a"]), r'qas\[0\].answers\[0\] has no text "text"'),
        (
            paragraph(answers=[{"text": "a", "answer_start": "0"}]),
            r"answers\[0\]: \"answer_start\" is '0'; it is a number",
        ),
        (paragraph(is_impossible=True), "is said to be impossible, and has answers"),
    ],
)
def test_errors_name_the_place(tmp_path: Path, article: Any, message: str) -> None:
    path = write(tmp_path / "wrong.json", article)
    with pytest.raises(DataError, match=message) as caught:
        read_table(path)
    assert str(caught.value).startswith(str(path))


def test_a_second_article_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'data\[1\] has no list "paragraphs"'):
        read_table(write(tmp_path / "wrong.json", FIRST, 7))


def test_some_questions_without_answers_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "wrong.json", FIRST, paragraph(answers=...))
    with pytest.raises(DataError, match=r'data\[1\].paragraphs\[0\].qas\[0\] has no "answers".* 1'):
        read_table(path)


def test_a_file_without_articles_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    path.write_text('{"version": "2.0", "data": []}')
    with pytest.raises(DataError, match=r"train\.json: holds no articles"):
        read_table(path)
