"""Texts with tagged words, in whatever form they come: one form from here on.

Texts that come word by word, such as a column of lists, are joined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from manyheads.data.dataset import Split, shorten
from manyheads.errors import DataError


def are_words(values: Sequence[Any]) -> bool:
    """Whether a column of texts holds lists of words."""
    return any(isinstance(value, list | tuple) for value in values)


def annotated(splits: Mapping[str, Split]) -> dict[str, Split]:
    """Return splits with tagged words instead of tags and spans, if that is what the labels are.

    Raises `DataError` naming a row whose tags or spans do not fit its text.
    """
    if not any(map(_may_say_words, splits["train"].columns["label"])):
        return dict(splits)
    from manyheads.text.annotation import hold_tags, tagged_rows

    if not hold_tags(splits["train"].columns["label"]):
        return dict(splits)
    found = {}
    for name, split in splits.items():
        rows = tagged_rows(split.columns["text"], split.columns["label"], split.describe)
        found[name] = replace(split, columns={**split.columns, "label": rows})
    return found


def _may_say_words(label: Any) -> bool:
    """Whether a label is more than the name of a class, or a number."""
    return " " in label if isinstance(label, str) else isinstance(label, list | tuple | Mapping)


def joined(split: Split, names: Mapping[str, str]) -> Split:
    """Return a split of texts instead of words, and of words with tags where there are labels.

    Raises `DataError` naming a row whose words are none, or have not as many tags.
    """
    from manyheads.text.tagged import Tagged, join_words

    joined_rows = [
        join_words(_words(value, split.describe(row), names["text"]))
        for row, value in enumerate(split.columns["text"])
    ]
    columns = {**split.columns, "text": [text for text, _ in joined_rows]}
    if "label" in split.columns:
        columns["label"] = [
            Tagged(text, words, _tags(label, len(words), split.describe(row), names["label"]))
            for row, ((text, words), label) in enumerate(
                zip(joined_rows, split.columns["label"], strict=True)
            )
        ]
    return replace(split, columns=columns)


def _words(value: Any, place: str, column: str) -> Sequence[str]:
    if isinstance(value, list | tuple) and all(isinstance(word, str) for word in value):
        return value
    raise DataError(
        f"{place}: column {column!r} holds {shorten(repr(value))}, and other rows lists of words; "
        "give every row a list of strings"
    )


def _tags(value: Any, words: int, place: str, column: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise DataError(
            f"{place}: column {column!r} holds {shorten(repr(value))}; words need a list of tags"
        )
    if len(value) != words:
        raise DataError(
            f"{place} has {len(value)} tags in column {column!r} for {words} words; give each one"
        )
    return tuple(map(str, value))
