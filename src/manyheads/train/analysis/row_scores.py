"""A score for each row, so that any set of rows can be scored: the rows of a class, of a length.

Every score here is a sum over rows divided by a sum over rows, which both accuracy (hits by rows)
and micro F1 (twice what is right by what was said and what is there) are. Tasks whose scores are
not of that kind are judged by their loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from manyheads.data import Split
from manyheads.tasks import (
    Answers,
    Judgement,
    Labelled,
    ManyHeads,
    MultiLabel,
    MultiLabelled,
    Task,
)
from manyheads.tasks.answering.answers import compared
from manyheads.tasks.labels import label_name
from manyheads.tasks.metrics import Interval, bootstrap_values, percentile_interval, wilson_interval
from manyheads.text.tag_scheme import chunks_of, mark_entities
from manyheads.text.tagged import Tagged
from manyheads.train.analysis.hard_rows import expected_of

MISSED, ADDED = "(missed)", "(nothing)"
_MOST_RESAMPLED = 2000  # rows; the mean of more is as good as normal


@dataclass(frozen=True)
class RowScore:
    """What one row adds to the score, the classes that it has, and how it was confused."""

    gain: float
    weight: float
    classes: tuple[str, ...] = ()
    confused: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class RowScores:
    """The scores of rows by one metric; `is_share` says that each row is right or wrong."""

    metric: str
    rows: Sequence[RowScore]
    gains: NDArray[np.float64]
    weights: NDArray[np.float64]
    higher_is_better: bool = True
    is_share: bool = False

    @classmethod
    def of(
        cls,
        metric: str,
        rows: Sequence[RowScore],
        *,
        higher_is_better: bool = True,
        is_share: bool = False,
    ) -> RowScores:
        """Return the scores of rows, at least one."""
        gains = np.array([row.gain for row in rows])
        weights = np.array([row.weight for row in rows])
        return cls(metric, rows, gains, weights, higher_is_better, is_share)

    def score(self, of: NDArray[np.intp]) -> float:
        """Return the score of some rows; rows without anything to score are worth 0."""
        weight = float(self.weights[of].sum())
        return float(self.gains[of].sum()) / weight if weight else 0.0

    def intervals(self, of: NDArray[np.intp], levels: Sequence[float]) -> list[Interval]:
        """Return the intervals of the score of some rows: Wilson's, or the bootstrap's.

        Of more than 2,000 rows it is the normal interval of a ratio, which the bootstrap comes to.
        """
        if self.is_share:
            right = int(self.gains[of].sum())
            return [wilson_interval(right, len(of), level) for level in levels]
        if len(of) <= _MOST_RESAMPLED:
            values = bootstrap_values(lambda rows: self.score(of[rows]), len(of), 1000, seed=0)
            return [percentile_interval(values, level) for level in levels]
        score = self.score(of)
        residuals = self.gains[of] - score * self.weights[of]
        error = math.sqrt(float((residuals**2).sum())) / max(float(self.weights[of].sum()), 1e-12)
        return [_normal_interval(score, error, level) for level in levels]


def row_scores(task: Task, judgement: Judgement, split: Split, parts: Sequence[int]) -> RowScores:
    """Score each of some parts of a split that was judged; those of many heads by their losses."""
    pairs = [(expected_of(judgement, split, part), judgement.prediction(part)) for part in parts]
    match (None, None) if isinstance(task, ManyHeads) else pairs[0]:
        case _, Labelled():
            hits = [_of_label(label_name(label), said.label) for label, said in pairs]
            return RowScores.of("accuracy", hits, is_share=True)
        case _, MultiLabelled():
            assert isinstance(task, MultiLabel)
            sets = [_of_sets(set(task.split(labels)), set(said.labels)) for labels, said in pairs]
            return RowScores.of("micro F1", sets)
        case Tagged(), Tagged():
            return _of_tags(pairs)
        case Answers(), str():
            no_answer = str(Answers())
            answers = [
                RowScore(compared(right, "" if said == no_answer else said)[1], 1.0)
                for right, said in pairs
            ]
            return RowScores.of("F1", answers)
    losses = [RowScore(judgement.losses[part], 1.0) for part in parts]
    return RowScores.of("mean loss", losses, higher_is_better=False)


def _of_label(label: str, said: str) -> RowScore:
    is_right = label == said
    return RowScore(float(is_right), 1.0, (label,), () if is_right else ((label, said),))


def _of_sets(labels: set[str], said: set[str]) -> RowScore:
    confused = [(label, MISSED) for label in sorted(labels - said)]
    confused += [(ADDED, label) for label in sorted(said - labels)]
    shared = 2.0 * len(labels & said)
    return RowScore(shared, len(labels) + len(said), tuple(sorted(labels)), tuple(confused))


def _of_tags(pairs: Sequence[tuple[Tagged, Tagged]]) -> RowScores:
    if not mark_entities(tag for right, _ in pairs for tag in right.tags):
        words = [_of_words(right.tags, said.tags) for right, said in pairs]
        return RowScores.of("accuracy of words", words)
    return RowScores.of("F1", [_of_entities(right, said) for right, said in pairs])


def _of_words(tags: Sequence[str], said: Sequence[str]) -> RowScore:
    confused = tuple((a, b) for a, b in zip(tags, said, strict=True) if a != b)
    return RowScore(len(tags) - len(confused), len(tags), tuple(sorted(set(tags))), confused)


def _of_entities(right: Tagged, said: Tagged) -> RowScore:
    """Score entities as a whole; an entity is confused with what stands in its place."""
    truth, guess = set(chunks_of(right.tags)), set(chunks_of(said.tags))
    places = {(start, end): kind for start, end, kind in guess}
    confused = [
        (kind, places.get((start, end), MISSED)) for start, end, kind in sorted(truth - guess)
    ]
    known = {(start, end) for start, end, _ in truth}
    confused += [(ADDED, kind) for a, b, kind in sorted(guess - truth) if (a, b) not in known]
    classes = tuple(sorted({kind for _, _, kind in truth}))
    return RowScore(2.0 * len(truth & guess), len(truth) + len(guess), classes, tuple(confused))


def _normal_interval(score: float, error: float, level: float) -> Interval:
    half = NormalDist().inv_cdf((1 + level) / 2) * error
    return Interval(score - half, score + half, level)
