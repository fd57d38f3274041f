"""`read`: from a source to a `Dataset`, or to one clear line that says what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from manyheads.data.aligned import aligned_splits
from manyheads.data.dataset import Dataset, Split, is_missing, shorten
from manyheads.data.delimited import infer
from manyheads.data.folder import split_name, split_paths
from manyheads.data.questions import holds_questions
from manyheads.data.roles import choose_roles, find_column, guesses
from manyheads.data.split import hold_out, text_key
from manyheads.data.table import Table, read_table
from manyheads.data.tagged import are_words, joined
from manyheads.errors import DataError

_SHOWN_ROWS = 5


def read(
    source: Any,
    *,
    text: str | int | None = None,
    label: str | int | None = None,
    pair: str | int | None = None,
    target: str | int | None = None,
    valid: Any = 0.1,
    test: Any = None,
    seed: int = 0,
    drop_empty: bool | None = False,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> Dataset:
    """Read labelled, parallel or plain text and split it.

    Args:
        source: anything that `read_table` reads; a folder with one file (or folder of classes, or
            two aligned files such as train.en and train.de) per split: train, valid (validation,
            dev) and test; or a mapping of these names to tables, such as a DatasetDict of Hugging
            Face datasets.
        text: the column of texts, or their language; guessed from the usual names when None.
            Columns of CSV and TSV files without a header are given by their numbers from 0 on, as
            in ``text=0, target=1``; so are other roles. Numbers spelled as strings, ``"0"``, are
            names where the first line holds them above something else than numbers.
        label: the column of labels; guessed from the usual names when None, and none if no column
            has such a name, or there are targets.
        pair: the column of second texts, for tasks on pairs of texts.
        target: the column of texts to write, such as translations, or their language; of aligned
            files, translation memories of two languages and catalogs the second when None.
        valid: the fraction of the rows to hold out for validation, unless the source brings a
            validation split; or a source of its own; 0 for none.
        test: the same for the test split; None for none.
        seed: of the random choice of rows to hold out. Running text (a text file alone) is not
            shuffled: its last lines are held out.
        drop_empty: True leaves out the rows with an empty text and counts them; False refuses
            parallel text that has any; None keeps them, for `check` to tell which they are.
        encoding: of text files; found out when None.
        delimiter: of CSV and TSV files; found out when None.

    Returns:
        The splits. Labels keep their values: integers, floats and booleans are recognised in CSV
        and TSV files, where every value of the column is one.

    Raises:
        DataError: the source cannot be read, a column is missing, a label is missing, a text is no
            string, all texts are empty, one side of parallel text is, or a fraction is out of
            range.
        MissingExtra: a gettext catalog without polib.
    """
    roles = {"text": text, "label": label, "pair": pair, "target": target}
    given = {role: None if column is None else str(column) for role, column in roles.items()}
    parts, fractions = _parts(
        source, {"valid": valid, "test": test}, given["text"], given["target"]
    )
    sides = [side for side in (given["text"], given["target"]) if side is not None]
    tables = {
        name: read_table(
            part,
            encoding=encoding,
            delimiter=delimiter,
            languages=sides if len(sides) == 2 else None,
            wanted=[column for column in roles.values() if column is not None],
        )
        for name, part in parts.items()
    }
    names = choose_roles(tables["train"], given)
    notes = guesses(tables["train"], names, given) + _formats(tables)
    splits = _splits(tables, names, notes)
    if drop_empty:
        splits = _without_empty(splits, notes)
    elif drop_empty is not None and "target" in names:
        for split in splits.values():
            _refuse_empty(split, names)
    running = tables["train"].running and set(names) == {"text"}
    total = len(splits["train"])
    for name in ("test", "valid"):
        if fraction := fractions.get(name):
            count = max(1, round(fraction * total))
            if holds_questions(splits["train"], names):
                stay, held_out = _hold_out_contexts(splits["train"], name, count, seed)
            else:
                stay, held_out = _hold_out(splits["train"], name, count, None if running else seed)
            splits["train"] = stay
            if held_out is None:
                notes.append(f"no {name} split: too few rows to take any away from train")
            else:
                splits[name] = held_out
                how = "from the end of the text" if running else f"(seed {seed})"
                notes.append(f"{name}: {len(held_out):,} rows held out of train {how}")
    return Dataset(splits["train"], splits.get("valid"), splits.get("test"), names, tuple(notes))


def _parts(
    source: Any, wanted: Mapping[str, Any], text: str | None, target: str | None
) -> tuple[dict[str, Any], dict[str, float]]:
    """Sort out which splits have a source of their own and which are fractions of train."""
    parts = _own_splits(source, text, target) or {"train": source}
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


def _own_splits(source: Any, text: str | None, target: str | None) -> dict[str, Any]:
    """Return the splits that a folder or a mapping of tables brings, if any."""
    if isinstance(source, str | Path):
        folder = Path(source).expanduser()
        if not folder.is_dir():
            return {}
        aligned = aligned_splits(folder, text, target) if text and target else {}
        return dict(aligned or split_paths(folder))
    if isinstance(source, Mapping) and "train" in source and not isinstance(source["train"], list):
        return {split_name(name) or name: table for name, table in source.items()}
    return {}


def _formats(tables: Mapping[str, Table]) -> list[str]:
    by_note: dict[str, list[str]] = {}
    for name, table in tables.items():
        by_note.setdefault(table.note, []).append(name)
    return [f"{', '.join(names)}: {note}" for note, names in by_note.items() if note]


def _splits(
    tables: Mapping[str, Table], names: Mapping[str, str], notes: list[str]
) -> dict[str, Split]:
    """Take the columns of the roles out of each table, and make sure they can be learnt from."""
    splits = {}
    for name, table in tables.items():
        found = {role: find_column(table, role, column) for role, column in names.items()}
        columns = {role: table.columns[column] for role, column in found.items()}
        split = Split(name, table.source, table.rows, columns, table.unit, table.files)
        if table.languages:
            split = _whole_units(split, names, notes)
        if are_words(split.columns["text"]):
            split = joined(split, names)
        columns = dict(split.columns)
        texts = {role: _texts(split, role, names[role]) for role in columns if role != "label"}
        splits[name] = replace(split, columns={**columns, **texts})
    if any(holds_questions(split, names) for split in splits.values()):
        return splits  # answers are texts, and without any there is none
    if "label" in names:
        splits = _with_typed_labels(splits, [name for name in tables if tables[name].untyped])
        for split in splits.values():
            _refuse_missing_labels(split, names["label"])
    return splits


def _whole_units(split: Split, names: Mapping[str, str], notes: list[str]) -> Split:
    """Leave out the units of a translation memory that lack a language."""
    units = zip(*split.columns.values(), strict=True)
    whole = [index for index, unit in enumerate(units) if None not in unit]
    languages = [repr(name) for name in names.values()]
    if not whole:
        raise DataError(f"{split.source}: no unit has {' and '.join(languages)}")
    if lacking := len(split) - len(whole):
        notes.append(f"{split.name}: {lacking:,} units without {' or '.join(languages)} left out")
    return split.take(whole)


def _empty_rows(split: Split) -> list[int]:
    columns = [values for role, values in split.columns.items() if role != "label"]
    rows = enumerate(zip(*columns, strict=True))
    return [index for index, texts in rows if not all(text.strip() for text in texts)]


def _without_empty(splits: Mapping[str, Split], notes: list[str]) -> dict[str, Split]:
    kept = {}
    for name, split in splits.items():
        empty = set(_empty_rows(split))
        kept[name] = split.take(index for index in range(len(split)) if index not in empty)
        if not len(kept[name]):
            raise DataError(f"{split.source}: every row has an empty text; none is left")
        if empty:
            rows = "1 row" if len(empty) == 1 else f"{len(empty):,} rows"
            notes.append(f"{name}: {rows} with an empty text dropped")
    return kept


def _refuse_empty(split: Split, names: Mapping[str, str]) -> None:
    empty = _empty_rows(split)
    if empty:
        texts = {role: values[empty[0]] for role, values in split.columns.items()}
        role = next(role for role in ("text", "pair", "target") if not texts.get(role, "-").strip())
        raise DataError(
            f"{split.describe(empty[0])}: nothing in {names[role]!r} (the {role}); "
            f"{len(empty):,} of {len(split):,} pairs have an empty side; "
            "mend them, or leave them out with drop_empty=True (--drop-empty)"
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


def _hold_out(split: Split, name: str, count: int, seed: int | None) -> tuple[Split, Split | None]:
    """Return what stays and what is held out, if a class can spare it.

    Rows are chosen by `seed`; without one they are the last, as running text needs it.
    """
    if seed is None:
        end = len(split) - count
        stay, leave = list(range(end)), list(range(end, len(split)))
        leave = leave if stay else []
    else:
        # Pairs count as a whole; of parallel text the source decides.
        pairs = split.columns.get("pair") or [None] * len(split)
        keys = [text_key(*texts) for texts in zip(split.columns["text"], pairs, strict=True)]
        stay, leave = hold_out(keys, split.columns.get("label"), count, seed)
    return _parted(split, stay, leave, name)


def _hold_out_contexts(
    split: Split, name: str, count: int, seed: int
) -> tuple[Split, Split | None]:
    """Hold out as `_hold_out` does; questions about the same context stay together.

    What was learnt about a context would help with all of its questions.
    """
    keys = [text_key(context) for context in split.columns["pair"]]
    return _parted(split, *hold_out(keys, None, count, seed), name)


def _parted(
    split: Split, stay: Sequence[int], leave: Sequence[int], name: str
) -> tuple[Split, Split | None]:
    if not leave:
        return split, None
    return split.take(stay), replace(split.take(leave), name=name)
