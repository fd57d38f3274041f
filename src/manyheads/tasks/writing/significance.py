"""Whether one system is better than another, or only luckier with these texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import DataError
from manyheads.tasks.metrics import Interval, bootstrap_values, percentile_interval
from manyheads.tasks.writing.scores import Statistics, SummedMetric, as_references


@dataclass(frozen=True)
class Comparison:
    """Two systems on the same texts.

    Attributes:
        difference: the first score minus the second.
        interval: of the difference.
        p_value: how often a difference as large, either way, would come by chance if there was
            none.
        wins: share of the resamples in which the first system is the better one.
        signature: how the scores were made.
    """

    metric: str
    first: float
    second: float
    difference: float
    interval: Interval
    p_value: float
    wins: float
    resamples: int
    seed: int
    signature: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON."""
        return asdict(self)

    def __str__(self) -> str:
        low, high = self.interval.low, self.interval.high
        line = (
            f"{self.metric}: {self.first:.2f} against {self.second:.2f}, "
            f"difference {self.difference:+.2f} ({self.interval.level:.0%} interval {low:+.2f} to "
            f"{high:+.2f}), p = {self.p_value:.3f}, better in {self.wins:.1%} of "
            f"{self.resamples:,} resamples (seed {self.seed})"
        )
        return f"{line}\n{self.signature}" if self.signature else line


def compare(
    expected: Sequence[str | Sequence[str]],
    first: Sequence[str],
    second: Sequence[str],
    metric: SummedMetric,
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare the outputs of two systems for the same inputs by the paired bootstrap.

    Texts are drawn with replacement, the same for both, and the metric of the whole corpus is
    computed on each draw (Koehn, "Statistical Significance Tests for Machine Translation
    Evaluation", 2004). The p-value is two-sided, of the differences moved to a mean of zero
    (Riezler and Maxwell, 2005); sacrebleu, as Moses did, moves their absolute values instead, and
    its p-values are about half as large. Raises `DataError` for no texts, or outputs that do not
    match.
    """
    a = metric.statistics(as_references(expected, first), first)
    b = metric.statistics(as_references(expected, second), second)
    better = -1 if metric.lower_is_better else 1
    return _compare(metric.name, (a, b), better, level, resamples, seed)


def compare_values(
    metric: str,
    first: Sequence[float],
    second: Sequence[float],
    *,
    lower_is_better: bool = False,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare the means of any metric that has a value for each example; see `compare`.

    Raises `DataError` for no values, or numbers of values that differ.
    """
    if not first or len(first) != len(second):
        raise DataError(f"{len(first)} values against {len(second)}; give one of each per example")
    a, b = (
        Statistics(np.array([(value, 1.0) for value in values]), _mean, "")
        for values in (first, second)
    )
    return _compare(metric, (a, b), -1 if lower_is_better else 1, level, resamples, seed)


def _compare(
    name: str,
    systems: tuple[Statistics, Statistics],
    better: int,
    level: float,
    resamples: int,
    seed: int,
) -> Comparison:
    if resamples < 1:
        raise DataError(f"resamples={resamples} is below 1; choose about 1000")

    def difference(rows: NDArray[np.intp]) -> float:
        first, second = (one.value_of(one.rows_NK[rows].sum(axis=0)) for one in systems)
        return first - second

    examples = len(systems[0].rows_NK)
    first, second = (one.value_of(one.rows_NK.sum(axis=0)) for one in systems)
    differences = bootstrap_values(difference, examples, resamples, seed)
    by_chance = np.abs(differences - differences.mean()) >= abs(first - second)
    return Comparison(
        metric=name,
        first=first,
        second=second,
        difference=first - second,
        interval=percentile_interval(differences, level),
        p_value=float(by_chance.sum() + 1) / (resamples + 1),
        wins=float((better * differences > 0).mean()),
        resamples=resamples,
        seed=seed,
        signature=systems[0].signature,
    )


def _mean(sums_K: NDArray[np.float64]) -> float:
    return float(sums_K[0] / sums_K[1])
