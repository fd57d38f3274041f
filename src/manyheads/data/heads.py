"""`read_heads`: one table with several columns of labels, one for each head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from manyheads.data.dataset import Dataset, Split, is_missing
from manyheads.data.formats.tables import read_table
from manyheads.data.joined import JoinedDataset, joined
from manyheads.data.questions import holds_questions
from manyheads.data.reader import read
from manyheads.data.roles import find_column
from manyheads.data.split import hold_out_together, row_keys
from manyheads.data.splits import own_splits, sources_of
from manyheads.data.table import Table
from manyheads.errors import DataError


def read_heads(
    source: Any,
    labels: Mapping[str, str | int],
    *,
    text: str | int | None = None,
    pair: str | int | None = None,
    valid: Any = 0.1,
    test: Any = None,
    seed: int = 0,
    encoding: str | None = None,
) -> JoinedDataset:
    """Read one table that labels its texts in several ways, for `ManyHeads`.

    Args:
        source: anything that `read_table` reads; a folder or a mapping with one of these for each
            split: train, valid (validation, dev) and test.
        labels: the column of labels of each head, by the head's name. A row that lacks a label is
            left out for that head alone.
        text: the column of texts; guessed from the usual names when None.
        pair: the column of second texts, for heads that read pairs.
        valid: the fraction of the rows to hold out for validation, the same ones for all heads,
            unless the source brings a validation split; or a table of its own; 0 for none.
        test: the same for the test split; None for none.
        seed: of the random choice of rows to hold out; rows of equal texts stay together, and
            classes give their share, but never their last row.
        encoding: of text files; found out when None.

    Returns:
        The data sets of all heads, by their names.

    Raises:
        DataError: what `read` raises, and for a head without any label.
    """
    if not labels:
        raise DataError("no column of labels is given; name one for each head, as in {'topic': …}")
    wanted = [column for column in (text, pair, *labels.values()) if column is not None]
    parts, fractions = sources_of(source, own_splits(source), {"valid": valid, "test": test})
    tables = {
        name: read_table(part, encoding=encoding, wanted=wanted) for name, part in parts.items()
    }
    found = {head: _read(tables, text, pair, str(column), head) for head, column in labels.items()}
    held_out = _held_out(found, fractions, seed)
    return joined({head: _split(data, held_out) for head, data in found.items()})


def _read(
    tables: Mapping[str, Table],
    text: str | int | None,
    pair: str | int | None,
    label: str,
    head: str,
) -> Dataset:
    """Read the rows of all tables that have a label for one head."""
    kept = {name: _labelled(table, label, head) for name, table in tables.items()}
    others = {name: kept.get(name, 0) for name in ("valid", "test")}
    return read(kept["train"], text=text, pair=pair, label=label, **others)


def _labelled(table: Table, label: str, head: str) -> Table:
    """Return the rows that have a label; raises `DataError` where none has."""
    values = table.columns[find_column(table, "label", label)]
    rows = [row for row, value in enumerate(values) if not is_missing(value)]
    if not rows:
        raise DataError(f"{table.source}: no row has a label for the head {head!r} in {label!r}")
    return replace(
        table,
        rows=[table.rows[row] for row in rows],
        columns={name: [column[row] for row in rows] for name, column in table.columns.items()},
        files=None if table.files is None else [table.files[row] for row in rows],
    )


def _held_out(
    data: Mapping[str, Dataset], fractions: Mapping[str, float], seed: int
) -> dict[str, set[int]]:
    """Choose rows of the table that are held out for all heads, by the name of their split."""
    keys: dict[int, str] = {}
    for one in data.values():
        keys |= dict(zip(one.train.rows, row_keys(one.train.columns), strict=True))
    labels = [
        dict(zip(one.train.rows, one.train.columns["label"], strict=True))
        for one in data.values()
        if not holds_questions(one.train, one.names)
    ]
    total, left = len(keys), dict(sorted(keys.items()))
    chosen: dict[str, set[int]] = {}
    for name in ("test", "valid"):
        if fraction := fractions.get(name):
            rows = list(left)
            count = max(1, round(fraction * total))
            columns = [[own.get(row) for row in rows] for own in labels]
            _, leave = hold_out_together(list(left.values()), columns, count, seed)
            chosen[name] = {rows[position] for position in leave}
            left = {row: key for row, key in left.items() if row not in chosen[name]}
    return chosen


def _split(data: Dataset, held_out: Mapping[str, set[int]]) -> Dataset:
    """Return the data set with the rows held out; a split that no row is left for is none."""
    away = set().union(*held_out.values())
    train = _taken(data.train, "train", set(data.train.rows) - away)
    if train is None:
        raise DataError(f"{data.train.source}: all rows with a label were held out; label more")
    others = {name: _taken(data.train, name, rows) for name, rows in held_out.items()}
    return replace(data, train=train, **{name: one for name, one in others.items() if one})


def _taken(split: Split, name: str, rows: set[int]) -> Split | None:
    chosen = [index for index, row in enumerate(split.rows) if row in rows]
    return replace(split.take(chosen), name=name) if chosen else None
