"""What many heads say of texts, for a person, as JSON, and as columns of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from manyheads.cli import tables

if TYPE_CHECKING:
    from manyheads.predict import Answer

Rows = Mapping[str, Sequence[dict[str, Any]]]

# What a table keeps of each head, and how its columns are called.
_COLUMNS = {"prediction": "{}", "probability": "{}_probability"}


def rows_of(answers: Mapping[str, Sequence[Answer]], row: Callable[[Answer], Any]) -> Rows:
    """Return the answers of each head as JSON values."""
    return {head: [row(one) for one in own] for head, own in answers.items()}


def documents_of(rows: Rows, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return for each text what all heads say of it."""
    return [
        {"text": text, "heads": {head: own[number] for head, own in rows.items()}}
        for number, text in enumerate(texts)
    ]


def shown(documents: Sequence[dict[str, Any]], said: Callable[[Any], Sequence[str]]) -> str:
    """Return the answers for a person: a text, and a line for each head below it."""
    lines = []
    for document in documents:
        lines.append(" ".join(document["text"].split()))
        width = max(map(len, document["heads"]))
        for head, row in document["heads"].items():
            lines.append(f"  {head:<{width}}  " + "\t".join(said(row)))
    return "\n".join(lines)


def with_heads(columns: tables.Columns, rows: Rows) -> tables.Columns:
    """Return a table with the answers behind; raises `DataError` where a name is taken."""
    whole = dict(columns)
    for head, own in rows.items():
        for name, called in _COLUMNS.items():
            if own and name in own[0]:
                tables.require_free(whole, called.format(head))
                whole[called.format(head)] = [one[name] for one in own]
    return whole
