"""The learning-rate range test: one short run in which the rate grows until the loss does.

Smith, "Cyclical Learning Rates for Training Neural Networks" (2017), section 3.3. For a pretrained
model the steepest fall of the loss lies where the head is still learning to guess the class
frequencies, far above what its body bears; a tenth of the rate at which the loss is lowest is
the safe reading.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from manyheads.errors import RecipeError, TrainingError
from manyheads.train.adamw import AdamW
from manyheads.train.fitting import Fitting
from manyheads.train.loop import Step, train
from manyheads.train.rates.trial import unchanged
from manyheads.train.report.plots import draw_learning_rate_search
from manyheads.train.schedule import apply

_LOWEST, _HIGHEST = 1e-7, 1e-1
_SMOOTHING = 0.9
_DIVERGED = 2.0
_MARGIN = 10.0
_EARLIEST = 10  # steps before a smoothed loss says anything
_FEWEST = 20  # steps of a test


@dataclass(frozen=True)
class RangeTest:
    """How many updates the test makes, at most."""

    steps: int = 100

    def __post_init__(self) -> None:
        if self.steps < _FEWEST:
            raise RecipeError(
                f"steps={self.steps} is too few for a range test; choose at least {_FEWEST}"
            )


@dataclass(frozen=True)
class LearningRates:
    """The losses of a range test, raw and smoothed, and the rate that follows from them."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggestion: float

    def __str__(self) -> str:
        return f"suggested learning rate {self.suggestion:.1e} ({len(self.rates)} steps)"

    def draw(self, path: str | Path) -> Path:
        """Save the curve as a picture."""
        draw_learning_rate_search(self.rates, self.losses, self.suggestion, path)
        return Path(path)

    def to_json(self) -> dict[str, Any]:
        """Return the curve and the suggestion as JSON."""
        return {
            "suggestion": self.suggestion,
            "rates": list(self.rates),
            "losses": list(self.losses),
        }


def range_test(fitting: Fitting, search: RangeTest) -> LearningRates:
    """Raise the rate from 1e-7 to 1e-1 update by update, and put everything back.

    Ends early when the smoothed loss doubles its lowest value. Raises `TrainingError` where the
    loss never falls.
    """
    happened: list[Step] = []
    smoothed: list[float] = []
    watched = fitting.reporter.rows("raising the learning rate", search.steps)
    with unchanged(fitting.model), watched as advance:
        torch.manual_seed(fitting.recipe.seed)
        try:
            for step in _rising(fitting, search.steps):
                advance(1)
                happened.append(step)
                smoothed.append(_smooth([step.loss for step in happened]))
                if step.number > _EARLIEST and smoothed[-1] > _DIVERGED * min(smoothed[_EARLIEST:]):
                    break
        except TrainingError:
            pass  # a loss that is not a number is how a range test may end
    rates = tuple(step.learning_rate for step in happened)
    losses = tuple(step.loss for step in happened)
    return LearningRates(rates, losses, tuple(smoothed), suggest(rates, smoothed))


def _rising(fitting: Fitting, steps: int) -> Iterator[Step]:
    """Train for `steps` updates, the rate growing by a constant factor."""

    def set_rate(optimizer: AdamW, step: int) -> None:
        rate = _LOWEST * (_HIGHEST / _LOWEST) ** (step / (steps - 1))
        apply(optimizer, rate / fitting.recipe.learning_rate)

    return train(
        fitting.model,
        fitting.task,
        fitting.first_batches(steps),
        fitting.optimizer,
        set_rate,
        precision=fitting.precision,
        scaler=fitting.scaler,
        clip_norm=fitting.recipe.clip_norm,
        smaller=fitting.portions.smaller,
    )


def suggest(rates: Sequence[float], smoothed: Sequence[float]) -> float:
    """Return a tenth of the rate where the smoothed loss is lowest, to one digit.

    Raises `TrainingError` where the lowest loss is the first one that counts.
    """
    if len(smoothed) <= _EARLIEST + 1:
        raise TrainingError(
            f"the range test ended after {len(smoothed)} steps, too early to read; "
            "check the labels, or set learning_rate yourself (5e-5 is usual)"
        )
    lowest = min(range(_EARLIEST, len(smoothed)), key=smoothed.__getitem__)
    if lowest == _EARLIEST:
        raise TrainingError(
            "the loss never fell during the range test; check the labels, or set learning_rate "
            "yourself (5e-5 is usual)"
        )
    rate = rates[lowest] / _MARGIN
    digit = 10 ** math.floor(math.log10(rate))
    return max(1, math.floor(rate / digit)) * digit


def _smooth(losses: Sequence[float]) -> float:
    """Return the bias-corrected exponential mean of the losses so far."""
    weights = [_SMOOTHING**age for age in range(len(losses))]
    total = sum(weight * loss for weight, loss in zip(weights, reversed(losses), strict=True))
    return total / sum(weights)
