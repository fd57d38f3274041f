"""Labels by name: from a column of a table to the numbers of a loss."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from manyheads.errors import DataError, did_you_mean

# Says where a row stands, for messages: "reviews.csv, line 17".
Describe = Callable[[int], str]

SIDES = ("text", "pair", "negative")  # columns of texts that are compared with each other


def labels_of(columns: Mapping[str, Sequence[Any]]) -> Sequence[Any]:
    """Return the column of labels; raises `DataError` where there is none."""
    if "label" not in columns:
        raise DataError(
            "the data have no label column; name it, as in label='rating' (--label rating)"
        )
    return columns["label"]


def require_texts(columns: Mapping[str, Sequence[Any]]) -> None:
    """Raise `DataError` where there are images instead of texts."""
    if "text" not in columns:
        raise DataError("the data have no texts, which this task is about; read some with mh.read")


def require_whole_pairs(columns: Mapping[str, Sequence[Any]], describe: Describe) -> None:
    """Raise `DataError` naming the row of a pair that lacks one of its texts."""
    if "pair" not in columns:
        return
    for side in SIDES:
        for row, text in enumerate(columns.get(side, ())):
            if not text.strip():
                raise DataError(
                    f"{describe(row)}: the {side} is empty; mend it, or leave such rows out with "
                    "drop_empty=True (--drop-empty)"
                )


def label_name(value: Any) -> str:
    """Return the name under which a label is stored: text as it is, numbers and truth as text."""
    return value if isinstance(value, str) else str(value)


def label_names(values: Iterable[Any]) -> tuple[str, ...]:
    """Return the distinct names in their order: numbers by size, text by its letters."""
    distinct = {label_name(value): value for value in values}
    numeric = all(isinstance(value, int) for value in distinct.values())
    return tuple(sorted(distinct, key=(lambda name: int(distinct[name])) if numeric else None))


def refuse_numbers(values: Sequence[Any], describe: Describe) -> None:
    """Raise `DataError` where class labels are missing or fractional numbers."""
    for row, value in enumerate(values):
        if value is None or (isinstance(value, float) and math.isnan(value)):
            raise DataError(f"{describe(row)} has no label; give it one or remove the row")
        if isinstance(value, float):
            raise DataError(
                f"the labels are fractional numbers ({describe(row)}: {value}), not classes; "
                "choose the task Regression (--task regression), or make them names"
            )


def index_labels(values: Sequence[Any], names: Sequence[str], describe: Describe) -> list[int]:
    """Return the position of each label among the names; raises `DataError` for unknown ones."""
    positions = {name: position for position, name in enumerate(names)}
    unknown = Counter(label_name(v) for v in values if label_name(v) not in positions)
    if unknown:
        worst, count = unknown.most_common(1)[0]
        row = next(i for i, value in enumerate(values) if label_name(value) == worst)
        raise DataError(
            f"{describe(row)} has the label {worst!r}, which the model does not know "
            f"({unknown.total()} such labels, {count} times this one).{did_you_mean(worst, names)} "
            f"Known: {', '.join(names[:12])}. Correct it, or let the model learn it"
        )
    return [positions[label_name(value)] for value in values]


def numbers_of(values: Sequence[Any], describe: Describe, remedy: str) -> list[float]:
    """Return each label as a number; raises `DataError` with the remedy for one that is none."""
    numbers = []
    for row, value in enumerate(values):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise DataError(
                f"{describe(row)}: the label {value!r} is not a finite number; {remedy}"
            )
        numbers.append(number)
    return numbers
