"""Documents of a source: a folder of files, one file, or the rows of a table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manyheads.data.formats.files import require_path
from manyheads.data.formats.tables import read_table
from manyheads.data.table import Table
from manyheads.errors import DataError, MissingExtra, did_you_mean
from manyheads.library.files import READERS, read_file


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its title; its id names it within its source."""

    id: str
    title: str
    text: str

    @property
    def checksum(self) -> str:
        """What changes whenever title or text do."""
        return hashlib.sha256(f"{self.title}\0{self.text}".encode()).hexdigest()


@dataclass(frozen=True)
class Columns:
    """The columns of a table in which texts, titles and ids stand.

    Without a name, texts are the only column, or the one called text; there are no titles; and the
    id of a row is its number.
    """

    text: str | None = None
    title: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class Reading:
    """What was read of a source: its name, its documents, and a line for all that was not read."""

    source: str
    documents: Sequence[Document]
    problems: Sequence[str] = field(default_factory=tuple)


def read_documents(
    source: Any, columns: Columns, name: str | None = None, encoding: str | None = None
) -> Reading:
    """Read all documents of a source.

    A folder is read with all folders in it: the id of a document is its path there. What else
    `manyheads.data.read_table` reads is a table. A file that cannot be read is a problem, not an
    error: the others are read. The name of a source is where it lies, unless it is given.

    Raises:
        DataError: the source is not there, is a table that cannot be read or that is in memory and
            has no name, lacks a column, or has two rows with one id, or one that is no text.
        MissingExtra: a PDF without pypdf.
    """
    if isinstance(source, str | Path):
        path = Path(source).expanduser()
        require_path(path)
        place = name or str(path.resolve())
        if path.is_dir():
            return _of_files(place, path, list(_files_below(path)), encoding)
        if path.suffix.lower() in READERS:
            return _of_files(place, path.parent, [path], encoding)
        source = path
    elif name is None:
        raise DataError(
            "a table in memory lies nowhere, and the next one would take its place; give it a "
            "name by which its documents are known again (name=)"
        )
    else:
        place = name
    return _of_table(place, read_table(source, encoding=encoding), columns)


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the files that are read, in order of their paths, but for hidden ones."""
    for path in sorted(folder.rglob("*")):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in READERS and path.is_file() and not is_hidden:
            yield path


def _of_files(place: str, folder: Path, paths: Sequence[Path], encoding: str | None) -> Reading:
    if not paths:
        raise DataError(f"{folder}: holds no documents; they are named {', '.join(READERS)}")
    documents, problems = [], []
    for path in paths:
        try:
            read = read_file(path, encoding)
        except MissingExtra:
            raise
        except DataError as error:
            problems.append(str(error))
            continue
        name = path.relative_to(folder).as_posix()
        title = read.title or path.stem
        documents.append(Document(_sound(name), _sound(title), _sound(read.text)))
    return Reading(place, documents, problems)


def _of_table(place: str, table: Table, columns: Columns) -> Reading:
    texts = _strings(table, _text_column(table, columns.text))
    blank = [""] * len(texts)
    titles = _strings(table, _known(table, columns.title)) if columns.title else blank
    ids = _strings(table, _known(table, columns.id)) if columns.id else list(map(str, table.rows))
    seen: dict[str, int] = {}
    documents, empty = [], []
    for row, id_, title, text in zip(table.rows, ids, titles, texts, strict=True):
        if id_ in seen:
            raise DataError(
                f"{table.source}: {table.unit}s {seen[id_]} and {row} both have the id {id_!r}; "
                "choose a column that tells documents apart"
            )
        seen[id_] = row
        if text.strip():
            documents.append(Document(id_, title.strip(), text))
        else:
            empty.append(row)
    problems = (
        [f"{table.source}: {len(empty):,} rows have no text, as {table.unit} {empty[0]}"]
        if empty
        else []
    )
    return Reading(place, documents, problems)


def _text_column(table: Table, column: str | None) -> str:
    names = list(table.columns)
    if column is None:
        column = names[0] if len(names) == 1 else "text"
    return _known(table, column)


def _known(table: Table, column: str) -> str:
    if column not in table.columns:
        names = list(table.columns)
        raise DataError(
            f"{table.source}: has no column {column!r}; its columns are "
            f"{', '.join(map(repr, names))}.{did_you_mean(column, names)}"
        )
    return column


def _strings(table: Table, column: str) -> list[str]:
    """Return a column as texts; what is absent, also as dataframes write it, is an empty one."""
    values = table.columns[column]
    for row, value in zip(table.rows, values, strict=True):
        if isinstance(value, Mapping | list | tuple):
            raise DataError(
                f"{table.source}, {table.unit} {row}: column {column!r} holds {value!r:.60}, of "
                f"type {type(value).__name__}; documents are texts"
            )
    return ["" if value is None or value != value else _sound(str(value)) for value in values]


def _sound(text: str) -> str:
    """Return a text in which no half of a character stands alone: no file could hold it."""
    return text.encode(errors="replace").decode()
