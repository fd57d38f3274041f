"""What goes wrong in a split that was judged: confusions, slices with low scores, hardest rows.

Slices and confusions are counted over at most 20,000 rows, which are drawn evenly from all of them;
the hardest rows are those of the whole split.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from manyheads.data import Split
from manyheads.data.dataset import shorten
from manyheads.tasks import Judgement, Task
from manyheads.tasks.metrics import Interval
from manyheads.train.analysis.hard_rows import HardRow, hard_row, hardest_rows
from manyheads.train.analysis.row_scores import RowScores, row_scores
from manyheads.train.analysis.slices import ExtraColumns, Slice, extra_columns, slices_of
from manyheads.train.readable import readable

MOST_ROWS = 20_000
_PAIRS, _EXAMPLES = 12, 3
_HARDEST = 20
_SHOWN_SLICES = 16
_WIDTH = 96


@dataclass(frozen=True)
class Confusion:
    """A label that was predicted as another: how often, and the hardest examples, hardest first."""

    expected: str
    predicted: str
    count: int
    examples: tuple[HardRow, ...]


@dataclass(frozen=True)
class Analysis:
    """The errors of a model on a split; print it, or take its parts and `to_json()`.

    `examined` counts the rows (or parts of rows) that slices and confusions are counted over.
    """

    split: str
    source: str
    examined: int
    parts: int
    metric: str
    higher_is_better: bool
    score: float
    interval: Interval
    slices: tuple[Slice, ...]
    confusions: tuple[Confusion, ...]
    hardest: tuple[HardRow, ...]

    def __str__(self) -> str:
        # Texts are shown as they are, also where they look like rich's markup.
        console = Console(
            file=io.StringIO(), width=_WIDTH, highlight=False, markup=False, emoji=False
        )
        console.print(
            f"{self.split}: {self.metric} {readable(self.score)} ({bounds(self.interval)}) "
            f"over {self.coverage} of {self.source}"
        )
        if self.slices:
            console.print(_slice_table(self.slices[:_SHOWN_SLICES]))
        if self.confusions:
            console.print(_confusion_table(self.confusions))
        console.print(_hard_table(self.hardest[:10]))
        assert isinstance(console.file, io.StringIO)
        return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())

    @property
    def coverage(self) -> str:
        """How many rows were counted, in words."""
        if self.examined == self.parts:
            return f"{self.parts:,} rows"
        return f"{self.examined:,} of {self.parts:,} rows"

    def to_json(self) -> dict[str, Any]:
        """Return the analysis as JSON values; labels and predictions as text."""
        return {
            "split": self.split,
            "source": self.source,
            "rows": self.parts,
            "examined": self.examined,
            "metric": self.metric,
            "score": self.score,
            "interval": asdict(self.interval),
            "slices": [asdict(one) for one in self.slices],
            "confusions": [
                {
                    "expected": one.expected,
                    "predicted": one.predicted,
                    "count": one.count,
                    "examples": [_row_json(row) for row in one.examples],
                }
                for one in self.confusions
            ],
            "hardest": [_row_json(row) for row in self.hardest],
        }


def analyse(task: Task, judgement: Judgement, split: Split, columns: ExtraColumns = ()) -> Analysis:
    """Say what goes wrong in a split that was judged, part by part.

    `columns` are further ones to slice by: names in the split's source, or values for each row.
    Raises `DataError` for columns that are not there.
    """
    further = extra_columns(split, columns)
    count = len(judgement.losses)
    chosen = np.linspace(0, count - 1, min(count, MOST_ROWS)).astype(int).tolist()
    scores = row_scores(task, judgement, split, chosen)
    rows = [judgement.rows[part] for part in chosen]
    everything = np.arange(len(chosen))
    return Analysis(
        split=split.name,
        source=split.source,
        examined=len(chosen),
        parts=count,
        metric=scores.metric,
        higher_is_better=scores.higher_is_better,
        score=scores.score(everything),
        interval=scores.intervals(everything, (0.95,))[0],
        slices=tuple(slices_of(scores, split, rows, further)),
        confusions=tuple(_confusions(scores, judgement, split, chosen)),
        hardest=tuple(hardest_rows(judgement, split, _HARDEST)),
    )


def bounds(interval: Interval) -> str:
    """Return an interval in a few characters."""
    return f"{readable(interval.low, 3)}–{readable(interval.high, 3)}"


def _confusions(
    scores: RowScores, judgement: Judgement, split: Split, parts: Sequence[int]
) -> list[Confusion]:
    """Return what is confused most often, each with its hardest examples."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for part, row in zip(parts, scores.rows, strict=True):
        for pair in row.confused:
            found[pair].append(part)
    common = sorted(found.items(), key=lambda one: (-len(one[1]), one[0]))[:_PAIRS]
    confusions = []
    for (expected, predicted), of in common:
        hardest = sorted(set(of), key=lambda part: -judgement.losses[part])[:_EXAMPLES]
        examples = tuple(hard_row(judgement, split, part) for part in hardest)
        confusions.append(Confusion(expected, predicted, len(of), examples))
    return confusions


def _row_json(row: HardRow) -> dict[str, Any]:
    return {
        "loss": row.loss,
        "where": row.where,
        "text": row.text,
        "label": str(row.label),
        "prediction": None if row.prediction is None else str(row.prediction),
    }


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))


def _slice_table(slices: Sequence[Slice]) -> Table:
    table = _table("\nslices, those worse beyond chance (!) first")
    for name in ("", "by", "value"):
        table.add_column(name, max_width=36, overflow="ellipsis", no_wrap=True)
    for name in ("rows", "score", "95% interval"):
        table.add_column(name, justify="right")
    for one in slices:
        mark = "!" if one.is_worse else ""
        numbers = (f"{one.rows:,}", readable(one.score), bounds(one.interval))
        table.add_row(mark, one.kind, shorten(one.value), *numbers)
    return table


def _confusion_table(confusions: Sequence[Confusion]) -> Table:
    table = _table("\nconfused most often")
    for name in ("expected", "predicted"):
        table.add_column(name, no_wrap=True)
    table.add_column("times", justify="right")
    table.add_column("hardest example", no_wrap=True)
    for one in confusions:
        labels = shorten(one.expected, 20), shorten(one.predicted, 20)
        table.add_row(*labels, f"{one.count:,}", shorten(one.examples[0].text, 40))
    return table


def _hard_table(rows: Sequence[HardRow]) -> Table:
    table = _table("\nhardest rows")
    table.add_column("loss", justify="right")
    for name in ("where", "expected → predicted", "text"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        # The end of a path says more than its beginning.
        place = row.where if len(row.where) <= 24 else f"…{row.where[-23:]}"
        cells = shorten(place, 24), shorten(row.said, 26), shorten(row.text, 28)
        table.add_row(f"{row.loss:.3f}", *cells)
    return table
