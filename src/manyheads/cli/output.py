"""Where a command writes: its result as text or JSON, tables of rows as files."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from manyheads.errors import DataError

Columns = Mapping[str, Sequence[Any]]


def show(text: object, document: object, as_json: bool) -> None:
    """Write a result to standard output: for a person, or as one JSON document."""
    if as_json:
        text = json.dumps(document, ensure_ascii=False, indent=2, default=str)
    print(str(text).encode(errors="backslashreplace").decode())


def notice(message: object, quiet: bool = False) -> None:
    """Write a line for a person to standard error."""
    if not quiet:
        print(message, file=sys.stderr)


def write_table(columns: Columns, path: Path) -> None:
    """Write columns as .csv, .tsv, .jsonl or .parquet; the file appears only when it is whole.

    Raises `DataError` for another suffix or a folder that is not there.
    """
    writers = {".csv": _delimited, ".tsv": _delimited, ".jsonl": _json_lines, ".parquet": _parquet}
    if path.suffix not in writers:
        raise DataError(f"{path} has an unknown suffix; choose {', '.join(writers)}")
    if not path.parent.is_dir():
        raise DataError(f"the folder {path.parent} of {path.name} does not exist; make it first")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(writers[path.suffix](columns, path.suffix))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _delimited(columns: Columns, suffix: str) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter="\t" if suffix == ".tsv" else ",")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return buffer.getvalue().encode(errors="backslashreplace")


def _json_lines(columns: Columns, _suffix: str) -> bytes:
    lines = (
        json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False, default=str)
        for row in zip(*columns.values(), strict=True)
    )
    return "".join(f"{line}\n" for line in lines).encode(errors="backslashreplace")


def _parquet(columns: Columns, _suffix: str) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table({name: list(values) for name, values in columns.items()}), buffer)
    return buffer.getvalue()
