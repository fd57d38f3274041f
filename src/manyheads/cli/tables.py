"""Tables in and out of the shell: files by their ending, and JSON Lines through pipes as ``-``."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyheads.cli.output import plain, write
from manyheads.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

    from manyheads.data import Table

PIPE = "-"
STDIN = "standard input"

Columns = Mapping[str, Sequence[Any]]


def read_any(source: str, encoding: str | None, wanted: Iterable[str | None] = ()) -> Table:
    """Return the table in a file, or the JSON Lines of stdin for ``-``; raises `DataError`.

    `wanted` are the columns that will be asked for, where they are given: by their numbers, where
    there is no header.
    """
    from manyheads.data import Table, read_table

    if source != PIPE:
        return read_table(
            source, encoding=encoding, wanted=[name for name in wanted if name is not None]
        )
    numbered = [(n, line) for n, line in enumerate(read_lines(), 1) if line.strip()]
    records = [_record(line, number) for number, line in numbered]
    names = dict.fromkeys(name for record in records for name in record)
    columns = {name: [record.get(name) for record in records] for name in names}
    if not records:
        raise DataError(f"{STDIN}: holds no rows; write one JSON object per line")
    return Table(STDIN, "line", [number for number, _ in numbered], columns, "JSON Lines")


def read_lines() -> list[str]:
    """Return the lines of stdin, without their ends; raises `DataError` where they are not UTF-8.

    Lines end at line feeds alone: texts may hold other separators.
    """
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{STDIN}: byte {error.start} is not UTF-8; convert it first") from None
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines if lines[-1] else lines[:-1]


def text_column(table: Table, column: str | None) -> str:
    """Return the name of a column: without one that of which the format says that it holds texts,
    the only column, or the one called text or image.

    Raises `DataError` where there is no such column.
    """
    known = list(table.columns)
    if column is None:
        usual = next((name for name in ("text", "image") if name in known), "text")
        column = table.roles.get("text") or (known[0] if len(known) == 1 else usual)
    if column not in table.columns:
        raise DataError(
            f"{table.source}: has no column {column!r}; its columns are "
            f"{', '.join(map(repr, known))}.{did_you_mean(column, known)}"
        )
    return column


def texts_of(table: Table, column: str | None) -> list[str]:
    """Return a column of texts, absent ones as empty; raises `DataError` for what is no text.

    Without a name it is that of `text_column`.
    """
    column = text_column(table, column)
    texts = []
    for row, value in zip(table.rows, table.columns[column], strict=True):
        absent = value is None or value != value  # NaN is how dataframes write an absent text
        if not absent and not isinstance(value, str):
            raise DataError(
                f"{table.source}, {table.unit} {row}: column {column!r} holds {value!r}, of type "
                f"{type(value).__name__}; texts must be strings"
            )
        texts.append("" if absent else value)
    return texts


def words_of(table: Table, column: str | None) -> list[list[str]] | None:
    """Return a column of lists of words, None where it holds anything else."""
    values = table.columns[text_column(table, column)]
    are_words = all(
        isinstance(one, list) and all(isinstance(word, str) for word in one) for one in values
    )
    return list(values) if are_words and len(values) else None


def require_free(columns: Columns, *names: str) -> None:
    """Raise `DataError` for a column that would take the place of another one."""
    for name in names:
        if name in columns:
            raise DataError(
                f"the table already has a column {name!r}, which would be lost; rename it first"
            )


def require_writable(out: str) -> None:
    """Raise `DataError` before any work is done, where a table cannot be written to `out`."""
    if out == PIPE:
        return
    if Path(out).suffix.lower() not in _WRITERS:
        raise DataError(
            f"--out {out}: tables are written as {', '.join(_WRITERS)}, or as JSON Lines to "
            f"stdout for {PIPE}"
        )
    require_place(Path(out))


def require_place(out: Path, option: str = "--out") -> None:
    """Raise `DataError` where no file can be `out`: a folder, or in one that does not exist."""
    if out.is_dir():
        raise DataError(f"{option} {out} is a folder; name a file")
    if not out.parent.is_dir():
        raise DataError(f"{option} {out}: the folder {out.parent} does not exist; make it first")


def write_any(columns: Columns, out: str) -> None:
    """Write a table to a file that appears only when it is whole, or to stdout for ``-``."""
    if out == PIPE:
        write(_json_lines(columns).decode())
        return
    from manyheads.hub.atomic import write_atomically

    path = Path(out)
    write_atomically(path, _WRITERS[path.suffix.lower()](columns))


def _record(line: str, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise DataError(
            f"{STDIN}, line {number}: not JSON ({error}); write one object per line"
        ) from None
    if not isinstance(record, dict):
        raise DataError(f'{STDIN}, line {number}: not a JSON object; write {{"text": …}}')
    return record


def _delimited(columns: Columns, delimiter: str) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow(_cell(value) for value in row)
    return buffer.getvalue().encode("utf-8", errors="backslashreplace")


def _cell(value: Any) -> Any:
    """Return what a cell holds of a value: lists as JSON, so that they can be read again."""
    return json.dumps(plain(value), ensure_ascii=False) if isinstance(value, list | dict) else value


def _json_lines(columns: Columns) -> bytes:
    lines = (
        json.dumps(plain(dict(zip(columns, row, strict=True))), ensure_ascii=False)
        for row in zip(*columns.values(), strict=True)
    )
    return "".join(f"{line}\n" for line in lines).encode("utf-8", errors="backslashreplace")


def _parquet(columns: Columns) -> bytes:
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(to_arrow(columns), buffer)
    return buffer.getvalue()


def to_arrow(columns: Columns) -> pa.Table:
    """Return a table as Arrow has it; raises `DataError` for one that Parquet cannot hold."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pa.table({name: list(values) for name, values in columns.items()})
        pq.write_table(table.slice(0, 0), io.BytesIO())  # it has types that Arrow alone has
        return table
    except (pa.ArrowException, UnicodeError) as error:
        raise DataError(
            f"the table does not fit into Parquet ({error}); give each column one type, or write "
            "it as .jsonl"
        ) from None


_WRITERS: dict[str, Callable[[Columns], bytes]] = {
    ".csv": lambda columns: _delimited(columns, ","),
    ".tsv": lambda columns: _delimited(columns, "\t"),
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}
