import gzip
import json

import pytest

from manyheads.data import Severity, check, read
from manyheads.errors import DataError

EN = [f"sentence number {i} is here" for i in range(40)]
DE = [f"Satz Nummer {i} steht hier" for i in range(40)]


def parallel(text, target, **options):
    columns = {"en": text, "de": target}
    return read(columns, text="en", target="de", valid=options.pop("valid", 0), **options)


def found(data, kind):
    return [finding for finding in check(data).findings if finding.kind == kind]


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_two_columns_of_any_table(tmp_path, ending, packed):
    path = tmp_path / f"x{ending}"
    if ending == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet

        pyarrow.parquet.write_table(pa.table({"en": EN, "de": DE, "id": [*range(40)]}), path)
    elif ending == ".jsonl":
        path.write_text(
            "".join(
                json.dumps({"en": a, "de": b, "id": 1}) + "\n" for a, b in zip(EN, DE, strict=True)
            )
        )
    else:
        comma = "," if ending == ".csv" else "\t"
        rows = [
            comma.join(row) for row in zip(["en", *EN], ["de", *DE], ["id", *"1" * 40], strict=True)
        ]
        path.write_text("\n".join(rows))
    if packed:
        whole = path.with_name(path.name + packed)
        whole.write_bytes(gzip.compress(path.read_bytes()))
        path = whole
    data = read(path, text="en", target="de", valid=0)
    assert data.train.columns == {"text": EN, "target": DE}
    assert data.names == {"text": "en", "target": "de"}
    assert data.summary().splitlines()[:2] == ["text   column 'en'", "target column 'de'"]


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".tsv.gz"])
def test_columns_without_a_header_are_given_by_number(tmp_path, ending):
    comma = "," if ending == ".csv" else "\t"
    content = "".join(f"{a}{comma}{b}\n" for a, b in zip(EN, DE, strict=True)).encode()
    path = tmp_path / f"x{ending}"
    path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    for text, target in ((0, 1), ("0", "1")):
        data = read(path, text=text, target=target, valid=0)
        assert data.train.columns == {"text": EN, "target": DE}
        assert data.train.describe(0) == f"{path}, line 1"
    assert "columns by number" in data.summary()
    assert read(path, text=1, target=0, valid=0).train.columns == {"text": DE, "target": EN}
    with pytest.raises(DataError, match=r"has no column '2' \(the target\); .* are '0', '1'\.$"):
        read(path, text=0, target=2)
    with pytest.raises(DataError, match="Where the first line is no header, give numbers"):
        read(path, text="en", target="de")


def test_a_table_in_memory_may_have_numbers_for_names():
    data = read({0: ["a", "b"], 1: ["c", "d"]}, text=0, target=1, valid=0)
    assert data.train.columns == {"text": ["a", "b"], "target": ["c", "d"]}


def test_splits_without_a_header(tmp_path):
    for name, rows in (("train", 5), ("valid", 2)):
        lines = (f"{a}\t{b}\n" for a, b in zip(EN[:rows], DE[:rows], strict=True))
        (tmp_path / f"{name}.tsv").write_text("".join(lines))
    data = read(tmp_path, text=0, target=1)
    assert (len(data.train), len(data.valid)) == (5, 2)


def test_the_only_other_column_is_the_source_and_no_label_is_guessed():
    assert read({"en": ["a"], "de": ["b"]}, target="de", valid=0).names == {
        "text": "en",
        "target": "de",
    }
    data = read({"text": ["a"], "summary": ["b"], "class": [1]}, target="summary", valid=0)
    assert data.names == {"text": "text", "target": "summary"}
    data = read(
        {"text": ["a"], "summary": ["b"], "class": [1]}, target="summary", label="class", valid=0
    )
    assert data.names == {"text": "text", "target": "summary", "label": "class"}


def test_a_column_called_target_is_a_label_unless_it_is_asked_for():
    columns = {"text": ["a", "b"], "target": ["x", "y"]}
    assert read(columns, valid=0).names == {"text": "text", "label": "target"}
    assert read(columns, target="target", valid=0).names == {"text": "text", "target": "target"}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"en": ["a"]}, r"has no column 'de' \(the target\)"),
        ({"en": ["a", "b"], "de": ["", None]}, "every text in column 'de' is empty"),
        ({"en": ["a"], "de": [3]}, r"row 1: column 'de' holds 3, of type int; texts must be"),
        ({"en": ["a", "b"], "de": ["c", None]}, r"row 2: nothing in 'de' \(the target\); 1 of 2"),
        ({"en": ["a", " ", ""], "de": ["c", "d", "e"]}, r"row 2: nothing in 'en' .* 2 of 3"),
    ],
)
def test_columns_that_are_not_parallel(columns, message):
    with pytest.raises(DataError, match=message):
        read(columns, text="en", target="de")


def test_a_source_is_held_out_with_all_its_translations():
    text = [f"source {i // 4}" for i in range(80)]
    data = parallel(text, [f"Ziel {i}" for i in range(80)], valid=0.2)
    assert len(data.valid) == 16
    assert not set(data.valid.columns["text"]) & set(data.train.columns["text"])


def test_empty_rows_of_labelled_text_are_dropped_when_told():
    columns = {"text": ["a", "", "c"], "label": [0, 1, 1]}
    assert len(read(columns, valid=0).train) == 3
    data = read(columns, valid=0, drop_empty=True)
    assert data.train.columns == {"text": ["a", "c"], "label": [0, 1]}
    assert "train: 1 row with an empty text dropped" in data.notes


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_a_corpus_keeps_its_blank_lines_and_its_order(tmp_path, packed):
    lines = ["A title", "", "one", "two", "", "three"] * 10
    path = tmp_path / f"corpus.txt{packed}"
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    data = read(path, test=0.2)
    assert data.names == {"text": "text"}
    assert [split.columns["text"] for split in data.splits()] == [
        lines[:42],
        lines[42:48],
        lines[48:],
    ]
    assert data.test.describe(0) == f"{path}, line 49"
    assert data.notes == (
        "train: UTF-8, one text per line",
        "test: 12 rows held out of train from the end of the text",
        "valid: 6 rows held out of train from the end of the text",
    )
    report = {finding.kind: finding for finding in check(read(path, valid=0)).findings}
    assert report["empty"].severity is Severity.NOTE
    assert report["duplicate"].rows == {"train": [n for n in range(7, 61) if lines[n - 1]]}


def test_a_line_alone_is_not_held_out(tmp_path):
    (tmp_path / "corpus.txt").write_text("only one\n")
    data = read(tmp_path / "corpus.txt")
    assert data.valid is None
    assert data.notes[-1] == "no valid split: too few rows to take any away from train"


def test_clean_parallel_text_has_nothing_to_mend():
    report = check(parallel(EN, DE))
    assert {finding.kind for finding in report.findings} == {"scripts"}
    assert report.text().endswith("Nothing needs mending.")
    assert [(one.role, one.longest) for one in report.histograms] == [("text", 26), ("target", 25)]
    assert "train: characters per target: median" in report.text()
    assert report.to_json()["lengths"][1]["role"] == "target"


def test_empty_sides():
    data = parallel(["a b", "c", "d"], ["x", "", " "], drop_empty=None)
    (finding,) = found(data, "empty_side")
    assert (finding.severity, finding.rows) == (Severity.ERROR, {"train": [2, 3]})
    assert finding.message == "2 pairs with an empty side"
    assert not found(data, "empty")


def test_copies_of_the_source():
    (finding,) = found(parallel([*EN, "Not  Translated"], [*DE, "not translated "]), "copy")
    assert finding.rows == {"train": [41]}
    assert finding.message.startswith("1 pair (2.4%) whose target is its source")
    assert finding.severity is Severity.WARNING
    (rare,) = found(parallel([*(EN * 3), "Oslo"], [*(DE * 3), "Oslo"]), "copy")
    assert rare.severity is Severity.NOTE


def test_a_source_with_two_translations_is_no_repetition():
    data = parallel(["a b", "A  b", "a b"], ["x", "y", "X "])
    (finding,) = found(data, "duplicate")
    assert finding.rows == {"train": [3]}


def test_sources_of_test_in_train_are_leaks():
    data = parallel(EN, DE, test={"en": [EN[3].upper(), "new"], "de": ["other", "neu"]})
    (finding,) = found(data, "leakage")
    assert finding.rows == {"test": [1], "train": [4]}


def test_lengths_that_do_not_fit():
    long = "Dieser Satz sagt sehr viel mehr als jener, dessen Übersetzung er sein will."
    data = parallel([*EN, "too short", "a", long], [*DE, long, "Ja, so ist es.", "kurz"])
    (finding,) = found(data, "lopsided")
    assert finding.rows == {"train": [41, 43]}
    assert "usual: 0.9" in finding.message


def test_scripts_of_each_side_and_marks_in_either():
    data = parallel([*EN, "broken \ufffd"], ["二号 文本"] * 39 + ["not translated", "乱码"])
    target, text = found(data, "scripts")
    assert text.message == "text: train: Latin 100.0%"
    assert target.message == "target: train: Han 97.6%, Latin 2.4%"
    assert target.rows == {"train": [40]}
    assert found(data, "undecoded")[0].rows == {"train": [41]}
