import json
import subprocess
import sys

import pytest

from manyheads.data import read
from manyheads.errors import DataError


def csv_file(path, rows, header="text,label"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def numbered(count, label=lambda i: "ab"[i % 2]):
    return [f"text number {i},{label(i)}" for i in range(count)]


def test_columns_are_taken_by_role_and_rows_keep_their_line(tmp_path):
    path = csv_file(
        tmp_path / "x.csv", ["1,great,5", '2,"long\ntext",1', "3,bad,1"], "id,review,stars"
    )
    data = read(path, text="review", label="stars", valid=0)
    assert data.names == {"text": "review", "label": "stars"}
    assert data.train.columns == {"text": ["great", "long\ntext", "bad"], "label": [5, 1, 1]}
    assert data.train.rows == [2, 3, 5]
    assert data.train.describe(2) == f"{path}, line 5"
    assert (data.valid, data.test) == (None, None)


def test_columns_are_guessed_by_their_names(tmp_path):
    data = read(csv_file(tmp_path / "x.csv", numbered(4), "Review,Category"), valid=0)
    assert data.names == {"text": "Review", "label": "Category"}
    assert "columns chosen by their names: text='Review', label='Category'" in data.summary()
    data = read({"words": ["a", "b"], "class": [1, 2]}, valid=0)
    assert data.names == {"text": "words", "label": "class"}
    assert read({"text": ["a", "b"], "id": [1, 2]}, valid=0).names == {"text": "text"}


def test_rows_are_held_out_by_class_and_seed(tmp_path):
    path = csv_file(tmp_path / "x.csv", numbered(100))
    data = read(path, test=0.2)
    assert [(split.name, len(split)) for split in data.splits()] == [
        ("train", 70),
        ("valid", 10),
        ("test", 20),
    ]
    assert sorted(data.test.columns["label"]) == ["a"] * 10 + ["b"] * 10
    rows = sorted(row for split in data.splits() for row in split.rows)
    assert rows == list(range(2, 102))
    assert data.test.describe(0) == f"{path}, line {data.test.rows[0]}"
    assert read(path, test=0.2).valid.rows == data.valid.rows
    assert read(path, test=0.2, seed=1).valid.rows != data.valid.rows


def test_repeated_texts_are_held_out_together():
    texts = [f"Text  {i // 4}" if i % 2 else f"text {i // 4} " for i in range(80)]
    data = read({"text": texts, "label": ["a"] * 80}, valid=0.2)
    held_out = {" ".join(text.lower().split()) for text in data.valid.columns["text"]}
    stay = {" ".join(text.lower().split()) for text in data.train.columns["text"]}
    assert held_out
    assert not held_out & stay


def test_splits_of_their_own(tmp_path):
    train = csv_file(tmp_path / "a.csv", numbered(10, lambda i: i % 2))
    test = tmp_path / "b.jsonl"
    test.write_text(json.dumps({"text": "new", "label": 1}))
    data = read(train, valid={"text": ["other"], "label": [0]}, test=test)
    assert [split.source for split in data.splits()] == [str(train), "mapping", str(test)]
    assert data.test.columns == {"text": ["new"], "label": [1]}


@pytest.mark.parametrize("valid", ["valid", "validation", "dev"])
def test_a_folder_of_splits(tmp_path, valid):
    csv_file(tmp_path / "train.csv", numbered(10))
    csv_file(tmp_path / f"{valid}.csv", numbered(2))
    (tmp_path / "test.jsonl").write_text('{"text": "c", "label": "a"}\n')
    (tmp_path / "README.md").write_text("about")
    data = read(tmp_path)
    assert [(split.name, len(split)) for split in data.splits()] == [
        ("train", 10),
        ("valid", 2),
        ("test", 1),
    ]


def test_a_folder_of_splits_of_class_folders(tmp_path):
    for name in ["train/pos/1.txt", "train/pos/2.txt", "train/neg/1.txt", "test/neg/1.txt"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}")
    data = read(tmp_path, valid=0)
    assert data.train.columns["label"] == ["neg", "pos", "pos"]
    assert data.train.describe(1) == f"{tmp_path}/train/pos/1.txt"
    assert data.train.take([1]).describe(0) == f"{tmp_path}/train/pos/1.txt"
    assert data.test.columns["label"] == ["neg"]


def test_a_mapping_of_splits():
    parts = {
        "train": {"text": ["a", "b"], "label": [0, 1]},
        "validation": {"text": ["c"], "label": [0]},
        "unsupervised": {"text": ["d"]},
    }
    data = read(parts)
    assert [(split.name, len(split)) for split in data.splits()] == [("train", 2), ("valid", 1)]


def test_two_files_of_one_split(tmp_path):
    csv_file(tmp_path / "train.csv", numbered(2))
    csv_file(tmp_path / "train.tsv", numbered(2))
    with pytest.raises(DataError, match=r"both train\.csv and train\.tsv are the train split"):
        read(tmp_path)


def test_labels_of_all_splits_have_one_type(tmp_path):
    train = csv_file(tmp_path / "a.csv", ["x,1", "y,2"])
    test = csv_file(tmp_path / "b.csv", ["x,1", "y,unknown"])
    data = read(train, valid=0, test=test)
    assert data.train.columns["label"] == ["1", "2"]
    assert data.test.columns["label"] == ["1", "unknown"]


def test_labels_keep_their_values():
    labels = [1, "a", True, 2.5, ["x", "y"], []]
    data = read({"text": list("abcdef"), "label": labels}, valid=0)
    assert data.train.columns["label"] == labels


def test_pairs_of_texts():
    data = read({"a": ["x", "y"], "b": ["p", None]}, text="a", pair="b", valid=0)
    assert data.train.columns == {"text": ["x", "y"], "pair": ["p", ""]}


def test_a_negative_stands_beside_a_pair():
    table = {"q": ["a", "b", "c"], "good": ["x", "y", "z"], "bad": ["u", "", "w"]}
    data = read(table, text="q", pair="good", negative="bad", valid=0)
    assert list(data.train.columns) == ["text", "pair", "negative"]
    assert data.names["negative"] == "bad"
    fewer = read(table, text="q", pair="good", negative="bad", valid=0, drop_empty=True)
    assert fewer.train.columns["negative"] == ["u", "w"]
    with pytest.raises(DataError, match=r"has no column 'worse' \(the negative\)"):
        read(table, text="q", pair="good", negative="worse")


def test_one_row_gives_no_valid_split(tmp_path):
    data = read(csv_file(tmp_path / "x.csv", ["only one,a"]))
    assert data.valid is None
    assert data.summary().splitlines() == [
        "text   column 'text'",
        "label  column 'label'",
        f"train  1 row of {tmp_path / 'x.csv'}: a (1)",
        "columns chosen by their names: text='text', label='label'",
        "train: UTF-8, comma-separated",
        "no valid split: too few rows to take any away from train",
    ]


def test_absent_texts_are_empty_texts():
    data = read({"text": ["a", None, float("nan")]}, valid=0)
    assert data.train.columns["text"] == ["a", "", ""]


@pytest.mark.parametrize(
    ("columns", "roles", "message"),
    [
        (
            {"review": ["a"], "rating": [1]},
            {"text": "reviews"},
            r"has no column 'reviews' \(the text\); its columns are 'review', 'rating'\. "
            r"Did you mean 'review'\?",
        ),
        ({"text": ["a"], "stars": [1]}, {"label": "star"}, r"no column 'star' \(the label\)"),
        (
            {"x": ["a"], "y": [1]},
            {},
            r"which column holds the texts\? Choose text=… among 'x', 'y'",
        ),
        ({"text": ["a"]}, {"label": "text"}, "one column cannot serve twice"),
        ({"text": ["a", 3]}, {}, r"mapping, row 2: column 'text' holds 3, of type int; texts must"),
        ({"text": ["", " \n", None]}, {}, "every text in column 'text' is empty"),
        (
            {
                "text": list("abcdefgh"),
                "label": [None, "x", float("nan"), "", " ", None, None, None],
            },
            {},
            r"7 of 8 rows have no label in column 'label' \(row 1, 3, 4, 5, 6, …\); label these",
        ),
    ],
)
def test_columns_that_cannot_be_learnt_from(columns, roles, message):
    with pytest.raises(DataError, match=message):
        read(columns, **roles)


def test_missing_labels_name_their_lines(tmp_path):
    path = csv_file(tmp_path / "x.csv", ["a,1", '"b\nb",', "c,NaN", "d,2"])
    with pytest.raises(DataError, match=r"2 of 4 rows have no label .* \(line 3, 5\)"):
        read(path)


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({"valid": 1}, "valid=1 must be a fraction from 0 to below 1"),
        ({"test": -0.1}, "test=-0.1 must be a fraction"),
        ({"valid": 0.5, "test": 0.5}, "leave no row to train on"),
    ],
)
def test_fractions_out_of_range(fractions, message):
    with pytest.raises(DataError, match=message):
        read({"text": ["a", "b"]}, **fractions)


def test_the_import_is_light():
    slow = ["numpy", "pyarrow", "pandas", "torch", "tokenizers"]
    code = f"import sys, manyheads.data; print([m for m in {slow} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("names", [("sentence1", "sentence2"), ("Premise", "Hypothesis")])
def test_the_usual_columns_of_pairs_are_found(names):
    table = {"id": ["1", "2"], names[0]: ["x", "y"], names[1]: ["p", "q"], "label": ["a", "b"]}
    data = read(table, valid=0)
    assert data.names == {"text": names[0], "pair": names[1], "label": "label"}
    assert f"text={names[0]!r}, pair={names[1]!r}" in data.summary()
    assert read(table, text=names[0], valid=0).names.keys() == {"text", "label"}
    assert "pair" not in read({**table, "text": ["s", "t"]}, valid=0).names


def test_both_texts_of_a_labelled_pair_are_shown():
    table = {"a": ["x"], "b": ["p"], "label": ["yes"]}
    assert read(table, text="a", pair="b", valid=0).train.shown(0) == "x ‖ p"
    assert read(table, text="a", valid=0).train.shown(0) == "x"
