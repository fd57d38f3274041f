import gzip
import json

import pytest

from manyheads.data import read_table
from manyheads.data.formats.folder import TABLE_ENDINGS
from manyheads.errors import DataError

TEXTS = ["good film", "bad, bad film", "二号 文本"]
LABELS = [1, 0, 1]


def file_with(path, text, encoding="utf-8"):
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def table_file(folder, ending, *, packed=False):
    """Write the three rows into a file of the given ending."""
    if ending in (".parquet", ".pq"):
        import pyarrow as pa
        import pyarrow.parquet

        sink = pa.BufferOutputStream()
        pyarrow.parquet.write_table(pa.table({"text": TEXTS, "label": LABELS}), sink)
        data = sink.getvalue().to_pybytes()
    else:
        records = [{"text": t, "label": n} for t, n in zip(TEXTS, LABELS, strict=True)]
        data = {
            ".csv": "text,label\n" + "".join(f'"{r["text"]}",{r["label"]}\n' for r in records),
            ".tsv": "text\tlabel\n" + "".join(f"{r['text']}\t{r['label']}\n" for r in records),
            ".jsonl": "".join(json.dumps(r) + "\n" for r in records),
            ".json": json.dumps(records, indent=2),
            ".txt": "\n".join(TEXTS),
        }[{".tab": ".tsv", ".ndjson": ".jsonl"}.get(ending, ending)].encode()
    path = folder / f"reviews{ending}{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("ending", TABLE_ENDINGS)
def test_every_format_gives_the_same_table(tmp_path, ending, packed):
    path = table_file(tmp_path, ending, packed=packed)
    table = read_table(path)
    assert table.source == str(path)
    assert list(table.columns["text"]) == TEXTS
    if ending != ".txt":
        labels = table.columns["label"]
        assert [int(label) for label in labels] == LABELS
        assert table.untyped == all(isinstance(label, str) for label in labels)
    in_lines = {".csv": [2, 3, 4], ".tsv": [2, 3, 4], ".tab": [2, 3, 4]}
    assert list(table.rows) == in_lines.get(ending, [1, 2, 3])


def test_a_gb18030_csv_with_quoted_line_breaks(tmp_path):
    text = '文本,标签\n"这个酒店很好，\n我们都很满意。",好\n房间太小，不会再来了。,差\n'
    table = read_table(file_with(tmp_path / "评论.csv", text, "gb18030"))
    assert list(table.columns) == ["文本", "标签"]
    assert table.rows == [2, 4]
    assert table.note == "GB18030 (assumed: it is not UTF-8), comma-separated"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path, encoding):
    table = read_table(file_with(tmp_path / "x.csv", "text;label\nça va;1\n", encoding))
    assert table.columns == {"text": ["ça va"], "label": ["1"]}


def test_json_lines_keep_types_separators_and_lone_surrogates(tmp_path):
    lines = [
        '{"text": "one\u2028line\x85still", "label": ["a", "b"]}',
        "",
        '{"text": "\\ud800", "extra": 0.5}',
    ]
    table = read_table(file_with(tmp_path / "x.jsonl", "\r\n".join(lines)))
    assert table.rows == [1, 3]
    assert table.columns == {
        "text": ["one\u2028line\x85still", "\ud800"],
        "label": [["a", "b"], None],
        "extra": [None, 0.5],
    }


def test_a_text_file_is_a_table_when_a_delimiter_is_given(tmp_path):
    path = file_with(tmp_path / "x.txt", "text|label\na|b\n")
    assert read_table(path, delimiter="|").columns == {"text": ["a"], "label": ["b"]}
    assert read_table(path).columns == {"text": ["text|label", "a|b"]}


def test_a_folder_of_classes(tmp_path):
    for name, text in [("pos/b.txt", "très bien"), ("pos/a.txt", "good"), ("neg/1", "bad")]:
        path = tmp_path / "films" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="cp1252" if "è" in text else "utf-8")
    (tmp_path / "films" / "neg" / "scores.json").write_text("{}")
    table = read_table(tmp_path / "films")
    assert table.columns == {"text": ["bad", "good", "très bien"], "label": ["neg", "pos", "pos"]}
    assert table.files == ["neg/1", "pos/a.txt", "pos/b.txt"]


def test_a_folder_with_a_single_table(tmp_path):
    path = file_with(tmp_path / "x.csv", "text\ngood\n")
    (tmp_path / "README.md").write_text("about")
    assert read_table(tmp_path).source == str(path)


def test_dataframes_of_pandas(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": TEXTS, "label": ["a", None, "b"]}, index=[7, 8, 9])
    frame["kind"] = frame["label"].astype("category")
    frame["number"] = pandas.array([1, None, 3], dtype="Int64")
    table = read_table(frame)
    assert (table.source, list(table.rows)) == ("dataframe", [1, 2, 3])
    assert table.columns["text"] == TEXTS
    assert table.columns["label"] == table.columns["kind"] == ["a", None, "b"]
    assert table.columns["number"] == [1, None, 3]


def test_dataframes_of_polars():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"text": TEXTS, "label": [[1], [], None], "kind": ["a", "b", "a"]})
    table = read_table(frame.with_columns(polars.col("kind").cast(polars.Categorical)))
    assert table.columns["text"] == TEXTS
    assert table.columns["label"] == [[1], [], None]
    assert table.columns["kind"] == ["a", "b", "a"]


def test_datasets_of_hugging_face():
    datasets = pytest.importorskip("datasets")
    table = read_table(datasets.Dataset.from_dict({"text": TEXTS}).select([2, 0]))
    assert table.columns["text"] == [TEXTS[2], TEXTS[0]]


def test_arrow_tables_arrays_and_mappings():
    import numpy
    import pyarrow as pa

    assert read_table(pa.table({"text": TEXTS})).columns["text"] == TEXTS
    table = read_table({"text": tuple(TEXTS), "label": numpy.array(LABELS)})
    assert table.columns == {"text": TEXTS, "label": LABELS}
    assert {type(label) for label in table.columns["label"]} == {int}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"", r"x\.csv: the file is empty"),
        ("x.csv.gz", gzip.compress(b" \n", mtime=0), r"x\.csv\.gz: the file is empty"),
        ("x.csv.gz", gzip.compress(b"text\na\n", mtime=0)[:-6], r"x\.csv\.gz: damaged gzip file"),
        ("x.csv", b"text,label\n", r"x\.csv: holds no rows, only a header"),
        ("x.csv", b"text\n\x81\xff \x81\n", r"x\.csv, line 2: byte 0x81 is not utf-8"),
        ("x.xlsx", b"PK", r"x\.xlsx: files named \.xlsx are not read; save the table as one of"),
        ("table", b"a", r"table: files without an ending are not read"),
        ("x.parquet", b"PAR1 no", r"x\.parquet: not a readable Parquet file"),
        ("x.jsonl", b'{"text": "a"}\n{"text"', r"x\.jsonl, line 2: not JSON .*one object per line"),
        ("x.jsonl", b'{"text": "a"}\n\n3\n', r"x\.jsonl, line 3: not a JSON object"),
        ("x.json", b'[{"text": "a"}, 3]', r"x\.json, row 2: not an object"),
        ("x.json", b'[{"text": "a"}', r"x\.json: not JSON"),
        ("x.json", b"[]", r"x\.json: holds no rows$"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_table(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_suggests_the_nearest(tmp_path):
    file_with(tmp_path / "reviews.csv", "text\na\n")
    with pytest.raises(DataError, match=r"no such file or folder\. Did you mean 'reviews\.csv'\?"):
        read_table(tmp_path / "review.csv")
    with pytest.raises(DataError, match="no such file or folder"):
        read_table(tmp_path / "nowhere" / "review.csv")


def test_bad_folders(tmp_path):
    with pytest.raises(DataError, match=r"holds no data; put a table there"):
        read_table(tmp_path)
    file_with(tmp_path / "a.csv", "text\na\n")
    file_with(tmp_path / "b.csv", "text\na\n")
    with pytest.raises(DataError, match=r"holds several tables \(a\.csv, b\.csv\); name one"):
        read_table(tmp_path)


def test_bad_objects():
    with pytest.raises(DataError, match="cannot read a table from 'int'; pass a path"):
        read_table(3)
    with pytest.raises(DataError, match=r"columns must be of equal length.*'text': 2, 'label': 1"):
        read_table({"text": ["a", "b"], "label": [1]})
    with pytest.raises(DataError, match="mapping: holds no rows, only a header"):
        read_table({"text": []})


def test_columns_of_mixed_types_are_refused():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(DataError, match=r"dataframe: cannot be read .*give each column one type"):
        read_table(pandas.DataFrame({"text": ["a", 3]}))


def test_two_columns_of_a_dataframe_with_one_name():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([["a", "b", "c"]], columns=["text", "text", "label"])
    with pytest.raises(DataError, match="dataframe: two columns are named 'text'; rename one"):
        read_table(frame)
