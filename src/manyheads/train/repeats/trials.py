"""Several runs of one recipe: what each of them reached, their mean, and what they say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from rich.table import Table

from manyheads.train.readable import readable
from manyheads.train.report.evaluation import as_text

LEVEL = 0.95
_SHOWN_SCORES = 5

Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Trial:
    """One run: its scores on the rows of its fold, where it has one, and on the common split."""

    name: str
    rows: int  # that it learnt from
    fold: Numbers | None
    common: Numbers | None

    @property
    def scores(self) -> Numbers:
        """The scores that are averaged: of the fold, else of the common split."""
        return self.fold or self.common or {}


@dataclass(frozen=True)
class Mean:
    """The mean of a score over runs, its standard deviation, and an interval for the mean.

    The interval is Student's: mean ± t · deviation / √k with k - 1 degrees of freedom. Runs on
    folds share most of their training rows, so that for them it is rather too narrow (Bengio and
    Grandvalet 2004).
    """

    mean: float
    deviation: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], level: float = LEVEL) -> Mean:
        """Return what is to be said of the values of at least two runs."""
        from scipy.stats import t

        mean, deviation = fmean(values), stdev(values)
        half = float(t.ppf((1 + level) / 2, len(values) - 1)) * deviation / sqrt(len(values))
        return cls(mean, deviation, mean - half, mean + half)


@dataclass(frozen=True)
class Trials:
    """Several runs of one recipe, on other rows or from other seeds; print them.

    `out_of_fold` has a record for each row: what the run said of it that has not seen it.
    `ensemble` is the predictor that averages what all say, with its `ensemble_scores` on the
    `common` split; None where `why_no_ensemble` says why.
    """

    title: str
    metric: str
    trials: tuple[Trial, ...]
    out_of_fold: tuple[Mapping[str, Any], ...] = ()
    common: str = ""
    ensemble: Any = None
    ensemble_scores: Numbers | None = None
    why_no_ensemble: str = ""

    @property
    def scores(self) -> dict[str, tuple[float, ...]]:
        """Each score of every run, by name; those that not all have are left out."""
        return by_name([trial.scores for trial in self.trials])

    def mean(self, metric: str | None = None) -> Mean:
        """Return the mean of a score over the runs, of the one that chose the weights if unsaid."""
        return Mean.of(self.scores[metric or self.metric])

    def __str__(self) -> str:
        parts: list[Any] = [self.title]
        if any(trial.fold for trial in self.trials):
            parts.append(self._table([trial.fold or {} for trial in self.trials]))
        if any(trial.common for trial in self.trials):
            scores = [trial.common or {} for trial in self.trials]
            parts += [self.common, self._table(scores, self.ensemble_scores)]
        if self.why_no_ensemble:
            parts.append(f"There is no ensemble: {self.why_no_ensemble}.")
        return as_text(*parts)

    def to_json(self) -> dict[str, Any]:
        """Return all but the predictor and the single rows as JSON."""
        common = [trial.common for trial in self.trials if trial.common]
        return {
            "title": self.title,
            "metric": self.metric,
            "runs": [asdict(trial) for trial in self.trials],
            "interval": {"kind": "Student's t", "level": LEVEL},
            "mean": _means(self.scores),
            "common": self.common,
            "common_mean": _means(by_name(common)),
            "ensemble": self.ensemble_scores,
            "why_no_ensemble": self.why_no_ensemble,
        }

    def _table(self, scores: Sequence[Numbers], together: Numbers | None = None) -> Table:
        """Return a table with a row for each run, one for the mean, and one for the ensemble."""
        values = by_name(scores)
        first = [self.metric] if self.metric in values else []
        names = [*first, *(n for n in values if n not in (self.metric, "loss"))][:_SHOWN_SCORES]
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
        table.add_column("")
        for name in names:
            table.add_column(name.replace("_", " "), justify="right")
        for number, trial in enumerate(self.trials):
            table.add_row(trial.name, *(readable(values[name][number]) for name in names))
        means = [Mean.of(values[name]) for name in names]
        table.add_row("mean", *(readable(one.mean) for one in means))
        half = (f"± {readable(one.high - one.mean)}" for one in means)
        table.add_row(f"± ({LEVEL:.0%}, t)", *half, style="dim")
        if together is not None:
            table.add_row("ensemble", *(readable(together[name]) for name in names))
        return table


def by_name(scores: Sequence[Numbers]) -> dict[str, tuple[float, ...]]:
    """Return each score of every run, by name; those that not all have are left out."""
    first = scores[0] if scores else {}
    names = [name for name in first if all(name in one for one in scores)]
    return {name: tuple(one[name] for one in scores) for name in names}


def _means(scores: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    return {name: asdict(Mean.of(values)) for name, values in scores.items()}
