"""`read`: from a source to a `Dataset`, or to one clear line that says what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from manyheads.data.dataset import Dataset, Split, is_missing, shorten
from manyheads.data.delimited import infer
from manyheads.data.folder import split_name, split_paths
from manyheads.data.split import hold_out, text_key
from manyheads.data.table import Table, read_table
from manyheads.errors import DataError, did_you_mean

_TEXT_NAMES = ("text", "sentence", "review", "content", "comment", "message", "document", "body")
_LABEL_NAMES = ("label", "labels", "class", "category", "target", "sentiment")
_SHOWN_ROWS = 5


def read(
    source: Any,
    *,
    text: str | None = None,
    label: str | None = None,
    pair: str | None = None,
    valid: Any = 0.1,
    test: Any = None,
    seed: int = 0,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> Dataset:
    """Read labelled text and split it.

    Args:
        source: anything that `read_table` reads, or a folder with one file (or folder of classes)
            per split: train, valid (validation, dev) and test; or a mapping of these names to
            tables, such as a DatasetDict of Hugging Face datasets.
        text: the column of texts; guessed from the usual names when None.
        label: the column of labels; guessed from the usual names when None, and none if no column
            has such a name.
        pair: the column of second texts, for tasks on pairs of texts.
        valid: the fraction of the rows to hold out for validation, unless the source brings a
            validation split; or a source of its own; 0 for none.
        test: the same for the test split; None for none.
        seed: of the random choice of rows to hold out.
        encoding: of text files; found out when None.
        delimiter: of CSV and TSV files; found out when None.

    Returns:
        The splits. Labels keep their values: integers, floats and booleans are recognised in CSV
        and TSV files, where every value of the column is one.

    Raises:
        DataError: the source cannot be read, a column is missing, a label is missing, a text is no
            string, all texts are empty, or a fraction is out of range.
    """
    parts, fractions = _parts(source, {"valid": valid, "test": test})
    tables = {
        name: read_table(part, encoding=encoding, delimiter=delimiter)
        for name, part in parts.items()
    }
    names = _roles(tables["train"], text, label, pair)
    splits = _splits(tables, names)
    notes = _guesses(names, {"text": text, "label": label}) + _formats(tables)
    total = len(splits["train"])
    for name in ("test", "valid"):
        if fraction := fractions.get(name):
            stay, held_out = _hold_out(splits["train"], name, round(fraction * total), seed)
            splits["train"] = stay
            if held_out is None:
                notes.append(f"no {name} split: too few rows to take any away from train")
            else:
                splits[name] = held_out
                notes.append(f"{name}: {len(held_out):,} rows held out of train (seed {seed})")
    return Dataset(splits["train"], splits.get("valid"), splits.get("test"), names, tuple(notes))


def _parts(source: Any, wanted: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    """Sort out which splits have a source of their own and which are fractions of train."""
    parts = _own_splits(source) or {"train": source}
    fractions = {}
    for name, value in wanted.items():
        if value is None:
            continue
        if not isinstance(value, int | float):
            parts[name] = value
        elif not 0 <= value < 1:
            raise DataError(f"{name}={value} must be a fraction from 0 to below 1, e.g. 0.1")
        elif name not in parts:
            fractions[name] = value
    if sum(fractions.values()) >= 1:
        raise DataError(f"{fractions} leave no row to train on; choose smaller fractions")
    return {name: parts[name] for name in ("train", "valid", "test") if name in parts}, fractions


def _own_splits(source: Any) -> dict[str, Any]:
    """Return the splits that a folder or a mapping of tables brings, if any."""
    if isinstance(source, str | Path):
        folder = Path(source).expanduser()
        return dict(split_paths(folder)) if folder.is_dir() else {}
    if isinstance(source, Mapping) and "train" in source and not isinstance(source["train"], list):
        return {split_name(name) or name: table for name, table in source.items()}
    return {}


def _roles(table: Table, text: str | None, label: str | None, pair: str | None) -> dict[str, str]:
    """Return the column of each role."""
    columns = list(table.columns)
    label_column = label or _guess(columns, _LABEL_NAMES)
    text_column = text or _guess(columns, _TEXT_NAMES) or _only_other(columns, label_column)
    if text_column is None:
        raise DataError(
            f"{table.source}: which column holds the texts? Choose text=… among {_listed(columns)}"
        )
    roles = {"text": text_column}
    if pair is not None:
        roles["pair"] = pair
    if label_column is not None:
        roles["label"] = label_column
    if len(set(roles.values())) < len(roles):
        raise DataError(f"{table.source}: one column cannot serve twice: {roles}")
    return roles


def _guess(columns: Sequence[str], usual: Sequence[str]) -> str | None:
    by_lower_case = {column.lower(): column for column in reversed(columns)}
    return next((by_lower_case[name] for name in usual if name in by_lower_case), None)


def _only_other(columns: Sequence[str], taken: str | None) -> str | None:
    others = [column for column in columns if column != taken]
    return others[0] if len(others) == 1 else None


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(repr(shorten(column)) for column in columns[:20])


def _guesses(names: Mapping[str, str], given: Mapping[str, str | None]) -> list[str]:
    guessed = [f"{role}={names[role]!r}" for role in given if role in names and not given[role]]
    return [f"columns chosen by their names: {', '.join(guessed)}"] if guessed else []


def _formats(tables: Mapping[str, Table]) -> list[str]:
    by_note: dict[str, list[str]] = {}
    for name, table in tables.items():
        by_note.setdefault(table.note, []).append(name)
    return [f"{', '.join(names)}: {note}" for note, names in by_note.items() if note]


def _splits(tables: Mapping[str, Table], names: Mapping[str, str]) -> dict[str, Split]:
    """Take the columns of the roles out of each table, and make sure they can be learnt from."""
    splits = {}
    for name, table in tables.items():
        _require_columns(table, names)
        columns = {role: table.columns[column] for role, column in names.items()}
        split = Split(name, table.source, table.rows, columns, table.unit, table.files)
        texts = {role: _texts(split, role, names[role]) for role in columns if role != "label"}
        splits[name] = replace(split, columns={**columns, **texts})
    if "label" in names:
        splits = _with_typed_labels(splits, [name for name in tables if tables[name].untyped])
        for split in splits.values():
            _refuse_missing_labels(split, names["label"])
    return splits


def _require_columns(table: Table, names: Mapping[str, str]) -> None:
    for role, column in names.items():
        if column not in table.columns:
            hint = did_you_mean(column, table.columns)
            raise DataError(
                f"{table.source}: has no column {column!r} (the {role}); "
                f"its columns are {_listed(list(table.columns))}.{hint}"
            )


def _texts(split: Split, role: str, column: str) -> list[str]:
    """Return the texts, with absent ones empty: `check` tells which rows those are."""
    texts = []
    for index, text in enumerate(split.columns[role]):
        if not isinstance(text, str) and not is_missing(text):
            raise DataError(
                f"{split.describe(index)}: column {column!r} holds {shorten(repr(text))}, "
                f"of type {type(text).__name__}; texts must be strings"
            )
        texts.append(text if isinstance(text, str) else "")
    if not any(text.strip() for text in texts):
        raise DataError(f"{split.source}: every text in column {column!r} is empty; choose another")
    return texts


def _with_typed_labels(splits: Mapping[str, Split], untyped: Sequence[str]) -> dict[str, Split]:
    """Infer the type of the labels over all untyped splits at once: a class has one type."""
    inferred = iter(infer([x for name in untyped for x in splits[name].columns["label"]]))
    typed = dict(splits)
    for name in untyped:
        labels = list(islice(inferred, len(splits[name])))
        typed[name] = replace(splits[name], columns={**splits[name].columns, "label": labels})
    return typed


def _refuse_missing_labels(split: Split, column: str) -> None:
    rows = [index for index, label in enumerate(split.columns["label"]) if is_missing(label)]
    if not rows:
        return
    shown = ", ".join(str(split.rows[index]) for index in rows[:_SHOWN_ROWS])
    more = ", …" if len(rows) > _SHOWN_ROWS else ""
    raise DataError(
        f"{split.source}: {len(rows):,} of {len(split):,} rows have no label in column {column!r} "
        f"({split.unit} {shown}{more}); label these rows or take them out"
    )


def _hold_out(split: Split, name: str, count: int, seed: int) -> tuple[Split, Split | None]:
    """Return what stays and what is held out: at least one row, if a class can spare it."""
    pairs = split.columns.get("pair") or [None] * len(split)
    keys = [text_key(*texts) for texts in zip(split.columns["text"], pairs, strict=True)]
    stay, leave = hold_out(keys, split.columns.get("label"), max(1, count), seed)
    if not leave:
        return split, None
    return split.take(stay), replace(split.take(leave), name=name)
