"""How good tags are: entities as a whole, counted by seqeval, and words one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import DataError, MissingExtra
from manyheads.tasks.metrics import Interval, LabelScores, Scores, bootstrap_interval
from manyheads.text.tag_scheme import Chunk, chunks_of

_RESAMPLES = 1000


@dataclass(frozen=True)
class EntityScores(Scores):
    """Scores of entities: one is right where its words and its type are (Tjong Kim Sang 2002).

    `f1_interval` comes from resampled texts; `accuracy` is that of single words.
    """

    counted: ClassVar[str] = "entities"

    texts: int
    f1: float
    f1_interval: Interval
    precision: float
    recall: float
    macro_f1: float
    accuracy: float
    per_label: tuple[LabelScores, ...]


def entity_scores(
    expected: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> EntityScores:
    """Score the tags of texts, all in IOB2; raises `DataError` where there are no words."""
    seqeval = _seqeval()
    words = sum(map(len, expected))
    if not words:
        raise DataError("there are no words to score")
    columns = seqeval.precision_recall_fscore_support(
        list(map(list, expected)), list(map(list, predicted)), average=None, zero_division=0
    )
    types = sorted({chunk[2] for tags in (*expected, *predicted) for chunk in chunks_of(tags)})
    per_label = tuple(
        LabelScores(label, float(precision), float(recall), float(f1), int(support))
        for label, precision, recall, f1, support in zip(types, *columns, strict=True)
    )
    counts_N3 = np.array([_counts(*pair) for pair in zip(expected, predicted, strict=True)])
    right, said, there = counts_N3.sum(axis=0).tolist()
    equal = sum(
        truth == guess
        for pair in zip(expected, predicted, strict=True)
        for truth, guess in zip(*pair, strict=True)
    )
    return EntityScores(
        texts=len(expected),
        f1=_f1(counts_N3),
        f1_interval=bootstrap_interval(
            lambda rows: _f1(counts_N3[rows]), len(counts_N3), resamples=_RESAMPLES
        ),
        precision=right / said if said else 0.0,
        recall=right / there if there else 0.0,
        macro_f1=float(np.mean([one.f1 for one in per_label])) if per_label else 0.0,
        accuracy=equal / words,
        per_label=per_label,
    )


def _counts(expected: Sequence[str], predicted: Sequence[str]) -> tuple[int, int, int]:
    """Return how many entities of a text are right, were predicted, and are there."""
    truth: set[Chunk] = set(chunks_of(expected))
    guess = set(chunks_of(predicted))
    return len(truth & guess), len(guess), len(truth)


def _f1(counts_N3: NDArray[np.int64]) -> float:
    right, said, there = counts_N3.sum(axis=0).tolist()
    return 2 * right / (said + there) if said + there else 0.0


def _seqeval() -> Any:
    try:
        from seqeval.metrics import sequence_labeling
    except ImportError:
        raise MissingExtra("seqeval", "eval", "scoring entities") from None
    return sequence_labeling
