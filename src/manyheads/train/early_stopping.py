"""When to stop, and which epoch was best: pure functions of the validation scores so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from manyheads.errors import RecipeError

# Scores where less is better, as they are called in training and in the scores of each task.
_COSTS = frozenset(
    {
        "loss",
        "log_loss",
        "mean_absolute_error",
        "root_mean_squared_error",
        "ter",
        "wer",
        "cer",
        "perplexity",
        "bits_per_byte",
        "bits_per_character",
    }
)


def lower_is_better(metric: str) -> bool:
    """Return whether a smaller value of `metric` is the better one: losses and errors.

    That of one head of many has its name in front: `topic.log_loss`.
    """
    return metric.rpartition(".")[2].removeprefix("validation_") in _COSTS


def is_better(metric: str, value: float, than: float, by: float = 0.0) -> bool:
    """Return whether `value` beats `than` by more than `by`; a value that is NaN never does."""
    if math.isnan(than):
        return not math.isnan(value)
    return value < than - by if lower_is_better(metric) else value > than + by


def best_index(metric: str, values: Sequence[float]) -> int:
    """Return the index of the best of `values`, the earliest of equals."""
    best = 0
    for index, value in enumerate(values):
        if is_better(metric, value, than=values[best]):
            best = index
    return best


@dataclass(frozen=True, slots=True)
class EarlyStopping:
    """Stop after `patience` validations in a row that improved by no more than the minimum.

    The rule has no memory: it is asked with all values so far, so a resumed run stops where the
    undisturbed one does (Prechelt, "Early stopping — but when?", 1998, the class UP).
    `metric=None` watches the metric that chooses the best checkpoint.
    """

    patience: int = 2
    minimum_improvement: float = 0.0
    metric: str | None = None

    def __post_init__(self) -> None:
        if self.patience < 1:
            raise RecipeError(f"patience={self.patience} is below 1; choose ≥ 1")
        if not self.minimum_improvement >= 0:
            raise RecipeError(
                f"minimum_improvement={self.minimum_improvement} is negative; choose 0 or more"
            )

    def should_stop(self, metric: str, values: Sequence[float]) -> bool:
        """Return whether training should end after `values`, one per validation, oldest first."""
        if not values:
            return False
        record, waited = values[0], 0
        for value in values[1:]:
            if is_better(metric, value, than=record, by=self.minimum_improvement):
                record, waited = value, 0
            else:
                waited += 1
        return waited >= self.patience
