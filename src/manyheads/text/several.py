"""Several texts: a list, and neither one text nor what only looks like many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from manyheads.errors import TextError

Item = TypeVar("Item")


def several(texts: Iterable[Item], what: str = "texts") -> list[Item]:
    """Return texts as a list: of a list, a column of a table, an array, or one after another.

    Raises `TextError` for one text, whose characters would be read as many; for a table, of which
    the names of columns would be; and for what has no order, or is no collection at all.
    """
    if isinstance(texts, str):
        raise TextError(f"{what} are one text, {_shown(texts)}; give a list of {what}")
    if hasattr(texts, "columns"):
        raise TextError(f"{what} are a whole {type(texts).__name__}; give one of its columns")
    if isinstance(texts, bytes | Mapping | set | frozenset) or not isinstance(texts, Iterable):
        raise TextError(f"{what} are {_shown(texts)}; give a list of {what}")
    return list(texts)


def _shown(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 40 else f"{said[:39]}…"
