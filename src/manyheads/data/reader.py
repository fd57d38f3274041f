"""`read`: from a source to a `Dataset`, or to one clear line that says what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from manyheads.data.dataset import Dataset, Split, is_missing, shorten
from manyheads.data.formats.tables import read_table
from manyheads.data.questions import holds_questions
from manyheads.data.roles import choose_roles, find_column, guesses
from manyheads.data.splits import (
    hold_out_fractions,
    own_splits,
    refuse_missing_labels,
    sources_of,
    with_typed_labels,
)
from manyheads.data.table import Table
from manyheads.data.tagged import annotated, are_words, joined
from manyheads.errors import DataError


def read(
    source: Any,
    *,
    text: str | int | None = None,
    label: str | int | None = None,
    pair: str | int | None = None,
    negative: str | int | None = None,
    target: str | int | None = None,
    valid: Any = 0.1,
    test: Any = None,
    seed: int = 0,
    drop_empty: bool | None = False,
    together: str | None = None,
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
        negative: the column of texts that do not belong to the text, however near they seem; for
            embeddings.
        target: the column of texts to write, such as translations, or their language; of aligned
            files, translation memories of two languages and catalogs the second when None.
        valid: the fraction of the rows to hold out for validation, unless the source brings a
            validation split; or a source of its own; 0 for none.
        test: the same for the test split; None for none.
        seed: of the random choice of rows to hold out. Running text (a text file alone) is not
            shuffled: its last lines are held out.
        drop_empty: True leaves out the rows with an empty text and counts them; False refuses
            parallel text that has any; None keeps them, for `check` to tell which they are.
        together: a role such as "text": rows that are equal in it are held out together, or not at
            all, as the documents of one query are.
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
    roles = {
        "text": text,
        "label": label,
        "pair": pair,
        "negative": negative,
        "target": target,
    }
    given = {role: None if column is None else str(column) for role, column in roles.items()}
    own = own_splits(source, given["text"], given["target"])
    parts, fractions = sources_of(source, own, {"valid": valid, "test": test})
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
    if together is None and holds_questions(splits["train"], names):
        together = "pair"
    elif together is not None and together not in names:
        raise DataError(f"together={together!r} is no column here; there is {', '.join(names)}")
    hold_out_fractions(splits, fractions, None if running else seed, notes, together)
    return Dataset(splits["train"], splits.get("valid"), splits.get("test"), names, tuple(notes))


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
        splits = with_typed_labels(splits, [name for name in tables if tables[name].untyped])
        for split in splits.values():
            refuse_missing_labels(split, names["label"])
        splits = annotated(splits)
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
