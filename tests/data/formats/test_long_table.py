from __future__ import annotations

from pathlib import Path

import pytest

import manyheads as mh
from manyheads.data.formats.tables import read_table
from manyheads.errors import DataError

HEADER = "sentence_id,words,labels\n"
ROWS = "0,Bo,B-PER\n0,is,O\n0,in,O\n0,Bonn,B-LOC\n1,北,B-LOC\n1,京,I-LOC\n"


def _written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "words.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_words_of_a_sentence_become_one_row(tmp_path: Path) -> None:
    data = mh.read(_written(tmp_path, HEADER + ROWS), valid=0)
    assert data.train.columns["text"] == ["Bo is in Bonn", "北京"]
    assert [one.tags for one in data.train.columns["label"]] == [
        ("B-PER", "O", "O", "B-LOC"),
        ("B-LOC", "I-LOC"),
    ]
    assert data.train.describe(1).endswith("words.csv, line 6")
    assert "one word per row" in data.summary()


def test_an_id_may_stand_at_the_first_word_alone(tmp_path: Path) -> None:
    text = (
        'Sentence #,Word,POS,Tag\nSentence: 1,Bo,NNP,B-per\n,sleeps,VBZ,O\nSentence: 2,",",",",O\n'
    )
    table = read_table(_written(tmp_path, text))
    assert table.columns["Word"] == [["Bo", "sleeps"], [","]]
    assert table.columns["POS"] == [["NNP", "VBZ"], [","]]
    assert table.roles == {"text": "Word", "label": "Tag"}
    by_part = mh.read(_written(tmp_path, text), label="POS", valid=0)
    assert by_part.train.columns["label"][0].tags == ("NNP", "VBZ")


def test_dataframes_and_scattered_sentences() -> None:
    columns = {
        "sentence_id": [7, 8, 7, 8],
        "words": ["Bo", "no", "sleeps", "one"],
        "labels": ["B-PER", "O", "O", "O"],
    }
    data = mh.read(columns, valid=0)
    assert data.train.columns["text"] == ["Bo sleeps", "no one"]
    assert list(data.train.rows) == [1, 2]


def test_tables_of_texts_stay_as_they_are(tmp_path: Path) -> None:
    rows = {"sentence_id": [1, 2], "words": ["two words", "one"], "labels": ["a", "b"]}
    assert mh.read(rows, valid=0).train.columns["text"] == ["two words", "one"]
    lists = {"sent_id": ["a", "b"], "tokens": [["Bo"], ["Al"]], "tags": [["O"], ["O"]]}
    assert mh.read(lists, valid=0).train.columns["text"] == ["Bo", "Al"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("0,Bo,B-PER\n0,,O\n", "line 3: no word in column 'words'"),
        (
            "0,Bo,B-PER\n" * 30 + "1,New York,B-LOC\n",
            "line 32: 'New York' in column 'words' is more than one word",
        ),
        (",Bo,B-PER\n0,is,O\n", "line 2: no sentence in column 'sentence_id', nor before"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        mh.read(_written(tmp_path, HEADER + rows), valid=0)
