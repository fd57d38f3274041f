"""Tables with one word in a row: the words of a sentence share its id, and become one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from manyheads.data.dataset import is_missing
from manyheads.data.table import Table
from manyheads.errors import DataError

_SENTENCE_NAMES = ("sentence_id", "sentence #", "sent_id")
_WORD_NAMES = ("words", "word", "tokens", "token", "form")
_TAG_NAMES = ("labels", "label", "ner_tags", "tags", "tag", "ner")
_FEW = 20  # words, of which one may be several by mistake


def by_sentence(table: Table) -> Table:
    """Return the table with lists of words and tags, if it has one word and a sentence's id a row.

    A row without an id belongs to the sentence before it. Raises `DataError` naming the first row
    without a word, or the first ones without a sentence.
    """
    names = {name.strip().lower(): name for name in table.columns}
    sentence = _first(names, _SENTENCE_NAMES)
    word = _first(names, _WORD_NAMES)
    if sentence is None or word is None or not _are_single(words := table.columns[word]):
        return table
    sentences = _sentences(table, table.columns[sentence], sentence)
    for row, value in enumerate(words):
        if is_missing(value) or not value.strip():
            raise DataError(
                f"{_place(table, row)}: no word in column {word!r}; leave the row out or name it"
            )
        if len(value.split()) > 1:
            raise DataError(
                f"{_place(table, row)}: {value!r:.60} in column {word!r} is more than one word; "
                "give each a row of its own"
            )
    columns = {
        name: [[values[row] for row in rows] for rows in sentences]
        for name, values in table.columns.items()
        if name != sentence
    }
    tag = _first(names, _TAG_NAMES)
    roles = {"text": word} if tag is None else {"text": word, "label": tag}
    return replace(
        table,
        rows=[table.rows[rows[0]] for rows in sentences],
        columns=columns,
        note=", ".join(filter(None, (table.note, "one word per row"))),
        untyped=False,
        roles=roles,
    )


def _sentences(table: Table, ids: Sequence[Any], column: str) -> list[list[int]]:
    """Return the rows of each sentence, in the order of their first words."""
    sentences: dict[Any, list[int]] = {}
    current = None
    for row, value in enumerate(ids):
        if not (is_missing(value) or value == ""):
            current = value
        if current is None:
            raise DataError(
                f"{_place(table, row)}: no sentence in column {column!r}, nor before; give it an id"
            )
        sentences.setdefault(current, []).append(row)
    return list(sentences.values())


def _are_single(words: Sequence[Any]) -> bool:
    """Whether values are words, and not lists of them or texts; few may be more than one."""
    if not all(is_missing(word) or isinstance(word, str) for word in words):
        return False
    several = sum(not is_missing(word) and len(word.split()) > 1 for word in words)
    return several * _FEW <= len(words)


def _first(names: dict[str, str], wanted: Sequence[str]) -> str | None:
    return next((names[name] for name in wanted if name in names), None)


def _place(table: Table, row: int) -> str:
    return f"{table.source}, {table.unit} {table.rows[row]}"
