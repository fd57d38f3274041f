import numpy as np
import pytest

import manyheads as mh
from manyheads.data import Dataset, Split
from manyheads.data.dataset import describe_labels, is_missing, label_items, printable, shorten


def split_of(**columns):
    count = len(columns["text"])
    return Split("train", "x.csv", range(1, count + 1), columns)


def test_take_keeps_rows_and_columns_together():
    split = Split("train", "x.csv", [2, 5, 6], {"text": list("abc"), "label": [1, 2, 3]}, "line")
    taken = split.take([2, 0])
    assert len(taken) == 2
    assert taken.rows == [6, 2]
    assert taken.columns == {"text": ["c", "a"], "label": [3, 1]}
    assert [taken.describe(i) for i in range(2)] == ["x.csv, line 6", "x.csv, line 2"]
    assert split_of(text=["a"]).describe(0) == "x.csv, row 1"


def test_the_summary_can_be_printed():
    data = Dataset(split_of(text=["a"], label=["\ud800"]), None, None, {"text": "t\udfff"})
    assert data.splits() == [data.train]
    assert data.summary().encode()


def test_shown_in_a_line_however_many_rows_there_are():
    split = split_of(text=["secret"] * 3000, label=[1] * 3000)
    data = Dataset(split, None, split_of(text=["secret"]), {"text": "review"})
    assert repr(split) == "<Split train: 3,000 rows of x.csv (text, label)>"
    assert repr(data.test) == "<Split train: 1 row of x.csv (text)>"
    assert repr(data) == "<Dataset: train 3,000, train 1>"
    assert str(data) == data.summary() and "secret" not in str(data)


@pytest.mark.parametrize(
    ("labels", "described"),
    [
        (["a", "b", "a"], "a (2), b (1)"),
        ([1, 1, 0], "1 (2), 0 (1)"),
        ([["x", "y"], [], ["x"]], "x (2), y (1)"),
        ([0.5, 2, -1.0], "numbers from -1 to 2"),
        ([str(i // 2) for i in range(40)], None),
        ([f"sentence {i}" for i in range(40)], "40 different labels"),
        ([None, "a"], "a (1)"),
        ([], ""),
    ],
)
def test_labels_in_words(labels, described):
    if described is None:
        assert describe_labels(labels).endswith("and 8 more")
    else:
        assert describe_labels(labels) == described


def test_small_helpers():
    assert list(label_items(["a", ["b", "c"], []])) == ["a", "b", "c"]
    assert [x for x in [None, float("nan"), "", " ", 0, False, [], "no"] if not is_missing(x)] == [
        0,
        False,
        [],
        "no",
    ]
    assert printable("a\ud800") == "a\\ud800"
    assert shorten("one\ntwo  three", 8) == "one two…"


def test_a_fingerprint_is_of_all_rows_and_their_order():
    rows = {"text": ["a", "b", "c"], "label": [0, 1, 0]}
    known = mh.read(rows, valid=0).fingerprint()
    assert known.keys() == {"train"} and known == mh.read(dict(rows), valid=0).fingerprint()
    others = [
        {"text": ["a", "c", "b"], "label": [0, 1, 0]},
        {"text": ["a", "b", "c"], "label": ["0", "1", "0"]},
        {"text": ["ab", "", "c"], "label": [0, 1, 0]},
    ]
    found = [mh.read(other, valid=0).fingerprint()["train"] for other in others]
    assert len({known["train"], *found}) == 4


def test_a_fingerprint_of_images_is_of_what_they_show(tmp_path):
    file = tmp_path / "one.png"
    file.write_bytes(b"an image")

    def split(image: object) -> Split:
        return Split("train", "images", [1], {"image": [image], "label": [0]})

    array = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    changed = array.copy()
    changed[30, 30] += 1  # in the middle, which numpy does not print
    assert split(array).fingerprint() != split(changed).fingerprint()
    before = split(str(file)).fingerprint()
    assert before == split(file).fingerprint() == split(b"an image").fingerprint()
    file.write_bytes(b"another one")
    assert split(file).fingerprint() != before
