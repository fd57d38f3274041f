import gzip
from pathlib import Path

import pytest

from manyheads.data import read, read_table
from manyheads.data.formats.aligned import pair_names, split_lines
from manyheads.errors import DataError

EN = ["One.", "Two.", "Three."]
DE = ["Eins.", "Zwei.", "Drei."]


def lines_file(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_two_files_are_read_line_by_line(tmp_path, packed):
    pair = tuple(
        lines_file(tmp_path / f"{name}{packed}", lines)
        for name, lines in [("train.en", EN), ("train.de", DE)]
    )
    data = read(pair, valid=0)
    assert data.names == {"text": "en", "target": "de"}
    assert data.train.columns == {"text": EN, "target": DE}
    assert data.train.describe(1) == f"{tmp_path}/train.en{packed} + train.de{packed}, line 2"
    assert "train: UTF-8, aligned by lines" in data.notes


def test_each_split_is_a_pair_of_its_own_and_sides_are_matched_by_name(tmp_path):
    for split in ("train", "dev", "test"):
        lines_file(tmp_path / f"{split}.en", EN)
        lines_file(tmp_path / f"{split}.de", DE)
    pairs = {
        split: (tmp_path / f"{split}.en", tmp_path / f"{split}.de") for split in ("train", "test")
    }
    data = read(
        pairs["train"], valid=(tmp_path / "dev.de", tmp_path / "dev.en"), test=pairs["test"]
    )
    assert [split.columns["text"] for split in data.splits()] == [EN, EN, EN]
    turned = read(pairs["train"], target="en", valid=0)
    assert turned.names == {"text": "de", "target": "en"}
    assert turned.train.columns["text"] == DE
    assert read(pairs["train"], text="de", valid=0).names == turned.names


@pytest.mark.parametrize("suffix", ["", ".gz", ".txt", ".txt.gz"])
def test_a_folder_of_aligned_splits(tmp_path, suffix):
    for split in ("train", "dev"):
        lines_file(tmp_path / f"{split}.en{suffix}", EN)
        lines_file(tmp_path / f"{split}.de{suffix}", DE)
    (tmp_path / "README.md").write_text("about")
    data = read(tmp_path, text="de", target="en")
    assert [(split.name, len(split)) for split in data.splits()] == [("train", 3), ("valid", 3)]
    assert data.train.columns == {"text": DE, "target": EN}
    (tmp_path / f"dev.de{suffix}").unlink()
    with pytest.raises(DataError, match=r"dev\.en.*its other half is missing"):
        read(tmp_path, text="de", target="en")


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        ("train.en", "train.de", ("en", "de")),
        ("train.en.gz", "train.de", ("en", "de")),
        ("corpus.en.txt", "corpus.de.txt", ("en", "de")),
        ("en.txt", "de.txt", ("en", "de")),
        ("en/train.txt", "de/train.txt", ("en", "de")),
        ("src-train.txt", "tgt-train.txt", ("src", "tgt")),
        ("train_en.txt", "train_de.txt", ("en", "de")),
        ("train.zh-CN", "train.en-US", ("zh-CN", "en-US")),
        ("a.b.en", "c.de", ("en", "de")),
    ],
)
def test_the_names_of_two_files(first, second, names):
    assert pair_names(Path(first), Path(second)) == names


def test_unequal_counts_name_both(tmp_path):
    pair = (lines_file(tmp_path / "a.en", EN), lines_file(tmp_path / "a.de", DE[:2]))
    with pytest.raises(DataError, match=r"a\.en \+ a\.de: 3 lines of en and 2 of de; line n of"):
        read(pair)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.en"], r"cannot read a table from a list of 1; two paths are a pair"),
        (["a.en", "a.de", "a.fr"], "a list of 3; two paths are a pair"),
        (["a.en", "a.en"], "is both sides of the pair"),
        (["a.en", "a.du"], r"a\.du: no such file or folder. Did you mean"),
        (["a.en", "a.csv"], r"a\.csv: is no file of lines; read it alone"),
    ],
)
def test_what_is_no_pair(tmp_path, names, message):
    for name in ("a.en", "a.de", "a.csv"):
        lines_file(tmp_path / name, EN)
    with pytest.raises(DataError, match=message):
        read_table([tmp_path / name for name in names])


def test_lines_end_at_line_feeds_alone():
    assert split_lines("a\u2028b\r\n\nc\x85\n") == ["a\u2028b", "", "c\x85"]
    assert split_lines("a\n\n") == ["a", ""]
    assert split_lines("a") == ["a"]


def test_a_blank_line_is_refused_dropped_or_kept(tmp_path):
    pair = (
        lines_file(tmp_path / "a.en", ["One.", "Two.", " ", "Four."]),
        lines_file(tmp_path / "a.de", ["Eins.", "", "Drei.", "Vier."]),
    )
    message = (
        r"a\.en \+ a\.de, line 2: nothing in 'de' \(the target\); 2 of 4 pairs have an empty side; "
        r"mend them, or leave them out with drop_empty=True"
    )
    with pytest.raises(DataError, match=message):
        read(pair, valid=0)
    data = read(pair, valid=0, drop_empty=True)
    assert data.train.columns == {"text": ["One.", "Four."], "target": ["Eins.", "Vier."]}
    assert list(data.train.rows) == [1, 4]
    assert "train: 2 rows with an empty text dropped" in data.notes
    assert len(read(pair, valid=0, drop_empty=None).train) == 4


def test_nothing_is_left_of_halves(tmp_path):
    pair = (
        lines_file(tmp_path / "a.en", ["One.", ""]),
        lines_file(tmp_path / "a.de", ["", "Zwei."]),
    )
    with pytest.raises(DataError, match="every row has an empty text; none is left"):
        read(pair, drop_empty=True)
