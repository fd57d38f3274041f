"""Where a model is weak: its score on the rows of a length, a class, a script, a column's value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.data import Split, read_table
from manyheads.data.checks.texts import main_script
from manyheads.data.dataset import are_numbers, is_missing
from manyheads.data.table import Table
from manyheads.errors import DataError, did_you_mean
from manyheads.tasks.metrics import Interval
from manyheads.train.analysis.row_scores import RowScores

_LEVEL = 0.95
_FEWEST = 10  # rows: fewer prove nothing
_MOST_VALUES = 100  # of one column or of the classes: the commonest
_QUARTERS = 4

ExtraColumns = Sequence[str] | Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Slice:
    """The rows that have something in common, and the score there.

    `is_worse` says that the score is below that of all rows beyond chance: the interval of a level
    that holds for all slices together (Bonferroni) lies below it.
    """

    kind: str
    value: str
    rows: int
    score: float
    interval: Interval
    is_worse: bool


@dataclass(frozen=True)
class Grouping:
    """One way to part rows: the name of what parts them, and the rows by its values."""

    kind: str
    groups: Mapping[str, NDArray[np.intp]]


def slices_of(
    scores: RowScores, split: Split, rows: Sequence[int], columns: Mapping[str, Sequence[Any]]
) -> list[Slice]:
    """Score the slices of a split: those that are worse beyond chance first, worst first.

    `rows` says which row of the split each score belongs to; `columns` are further ones to part
    rows by. A grouping that leaves all rows together is left out.
    """
    groupings = [one for one in _groupings(scores, split, rows, columns) if len(one.groups) > 1]
    count = sum(len(one.groups) for one in groupings)
    whole = scores.score(np.arange(len(rows)))
    found = [
        _slice(scores, one.kind, value, of, whole, 1 - (1 - _LEVEL) / count)
        for one in groupings
        for value, of in one.groups.items()
    ]
    sign = 1 if scores.higher_is_better else -1
    return sorted(found, key=lambda one: (not one.is_worse, sign * one.score, -one.rows))


def extra_columns(split: Split, wanted: ExtraColumns) -> dict[str, Sequence[Any]]:
    """Return further columns of a split: as they are given, or by name from the split's source.

    Raises `DataError` for one that is not there or has another number of rows.
    """
    if isinstance(wanted, Mapping):
        for name, values in wanted.items():
            if len(values) != len(split):
                raise DataError(
                    f"column {name!r} has {len(values):,} values for the {len(split):,} rows of "
                    f"{split.name}; give one for each row"
                )
        return dict(wanted)
    table = _source_of(split, wanted)
    place = {row: position for position, row in enumerate(table.rows if table else ())}
    found: dict[str, Sequence[Any]] = {}
    for name in wanted:
        if table is not None and name in table.columns:
            found[name] = [table.columns[name][place[row]] for row in split.rows]
        elif name in split.columns:
            found[name] = split.columns[name]
        elif table is None:
            raise DataError(
                f"column {name!r} was not kept of the {split.source}; give its values, one for "
                f"each row of the split {split.name}: columns={{{name!r}: [...]}}"
            )
        else:
            raise DataError(
                f"{split.source} has no column {name!r}; its columns are "
                f"{', '.join(map(repr, table.columns))}.{did_you_mean(name, table.columns)}"
            )
    return found


def _source_of(split: Split, wanted: Sequence[str]) -> Table | None:
    """Return the table that a split is from; None of a dataframe, which is not there any more, and
    of files that are no tables.

    A split knows its columns by what they are for: `text` may be another column of the table.
    """
    if not Path(split.source).exists():
        return None
    numbers = [int(name) for name in wanted if name.isdecimal()]
    try:
        table = read_table(split.source)
        if numbers and not any(name in table.columns for name in wanted):  # it has no header
            table = read_table(split.source, wanted=numbers)
    except DataError:
        return None
    return table if set(split.rows) <= set(table.rows) else None


def _slice(
    scores: RowScores, kind: str, value: str, of: NDArray[np.intp], whole: float, strict: float
) -> Slice:
    score = scores.score(of)
    shown, sure = scores.intervals(of, (_LEVEL, strict))
    below = sure.high < whole if scores.higher_is_better else sure.low > whole
    return Slice(kind, value, len(of), score, shown, below and len(of) >= _FEWEST)


def _groupings(
    scores: RowScores, split: Split, rows: Sequence[int], columns: Mapping[str, Sequence[Any]]
) -> Iterator[Grouping]:
    yield _by_values("class", [one.classes for one in scores.rows])
    if "text" in split.columns:  # images have none
        texts = [split.columns["text"][row] for row in rows]
        yield _by_size("characters", [len(text) for text in texts])
        yield _by_values("script", [(main_script(text) or "none",) for text in texts])
    for name, values in columns.items():
        chosen = [values[row] for row in rows]
        numbers = [value for value in chosen if not is_missing(value)]
        if (numbers and are_numbers(numbers)) or _are_many_integers(numbers):
            yield _by_size(name, [float("nan") if is_missing(one) else one for one in chosen])
        else:
            named = [("(missing)" if is_missing(one) else str(one),) for one in chosen]
            yield _by_values(name, named)


def _are_many_integers(values: Sequence[Any]) -> bool:
    return all(type(value) is int for value in values) and len(set(values)) > 2 * _QUARTERS


def _by_size(kind: str, sizes: Sequence[float]) -> Grouping:
    """Part rows into quarters by a number; those that are equal stay together."""
    array = np.asarray(sizes, float)
    known = array[~np.isnan(array)]
    bounds = np.unique(np.quantile(known, np.linspace(0, 1, _QUARTERS + 1), method="lower"))
    quarter = np.searchsorted(bounds[1:-1], array, side="left")
    groups = {}
    for number in range(max(1, len(bounds) - 1)):
        of = np.flatnonzero((quarter == number) & ~np.isnan(array))
        groups[f"{array[of].min():g} to {array[of].max():g}"] = of
    if len(missing := np.flatnonzero(np.isnan(array))):
        groups["(missing)"] = missing
    return Grouping(kind, groups)


def _by_values(kind: str, values: Iterable[tuple[str, ...]]) -> Grouping:
    """Part rows by values; a row that has several counts for each."""
    groups: dict[str, list[int]] = defaultdict(list)
    for row, several in enumerate(values):
        for value in several:
            groups[value].append(row)
    common = sorted(groups.items(), key=lambda one: -len(one[1]))[:_MOST_VALUES]
    return Grouping(kind, {value: np.array(of) for value, of in common})
