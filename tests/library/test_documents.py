"""Documents of folders, files and tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manyheads.errors import DataError
from manyheads.library.documents import Columns, Document, read_documents


def test_a_folder_is_read_with_all_folders_in_it(tmp_path: Path) -> None:
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / "a.txt").write_text("One.", encoding="utf-8")
    (tmp_path / "deep" / "b.md").write_text("# Two\n\nText.", encoding="utf-8")
    (tmp_path / "deep" / "deeper" / "c.HTML").write_text("<title>Three</title><p>Page.</p>")
    (tmp_path / ".hidden.txt").write_text("secret")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    read = read_documents(tmp_path, Columns())
    assert read.source == str(tmp_path.resolve())
    assert [(one.id, one.title) for one in read.documents] == [
        ("a.txt", "a"),
        ("deep/b.md", "Two"),
        ("deep/deeper/c.HTML", "Three"),
    ]
    assert not read.problems


def test_a_broken_file_is_a_line_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 and nothing else")
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "good.txt").write_text("Good.")
    pytest.importorskip("pypdf")
    read = read_documents(tmp_path, Columns(), name="mine")
    assert read.source == "mine" and [one.id for one in read.documents] == ["good.txt"]
    broken, empty = read.problems
    assert "broken.pdf: not a readable PDF (" in broken and "\n" not in broken
    assert empty.endswith("empty.txt: the file is empty")


def test_one_file_is_one_document(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("One line.\nAnother.")
    (one,) = read_documents(tmp_path / "note.txt", Columns()).documents
    assert one == Document("note.txt", "note", "One line.\nAnother.")


def test_rows_of_a_table(tmp_path: Path) -> None:
    rows = [{"url": "u1", "head": "Eins", "body": "Text \ud800."}, {"url": "u2", "body": " "}]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    read = read_documents(path, Columns("body", "head", "url"))
    assert list(read.documents) == [Document("u1", "Eins", "Text ?.")]
    assert read.problems == [f"{path}: 1 rows have no text, as line 2"]
    read = read_documents({"text": ["a", "b"]}, Columns(), "rows")
    assert read.source == "rows"
    assert [(one.id, one.title) for one in read.documents] == [("1", ""), ("2", "")]


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no documents; they are named \.txt, \.md"):
        read_documents(tmp_path, Columns())
    with pytest.raises(DataError, match="no such file or folder"):
        read_documents(tmp_path / "nowhere", Columns())
    with pytest.raises(DataError, match=r"has no column 'txet'.*Did you mean 'text'"):
        read_documents({"text": ["a"], "n": [1]}, Columns("txet"), "rows")
    with pytest.raises(DataError, match="rows 1 and 3 both have the id 'x'"):
        read_documents({"text": ["a", "b", "c"], "n": ["x", "y", "x"]}, Columns(id="n"), "rows")
    with pytest.raises(DataError, match=r"row 2: column 'text' holds \['b'\], of type list"):
        read_documents({"text": ["a", ["b"]]}, Columns(), "rows")
    with pytest.raises(DataError, match=r"a table in memory lies nowhere, .* \(name=\)"):
        read_documents({"text": ["a"]}, Columns())


def test_checksums_tell_title_and_text_apart() -> None:
    checksums = {Document("", *pair).checksum for pair in (("a", "b"), ("ab", ""), ("", "ab"))}
    assert len(checksums) == 3
