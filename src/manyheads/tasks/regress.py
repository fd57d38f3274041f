"""Regression: a number for each text or text pair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, pstdev
from typing import Any, Self

import torch
from torch import Tensor

from manyheads.core.head import SequenceHead
from manyheads.errors import DataError, ManyHeadsError
from manyheads.hub import Pretrained
from manyheads.tasks import baseline, metrics
from manyheads.tasks.labels import Describe, labels_of, numbers_of
from manyheads.tasks.sequence import SequenceTask
from manyheads.tasks.task import Columns

_FARTHEST = 1e30  # from 0; float32 ends at 3e38, and an answer may be farther out than any value
_NEAREST = 1e-30  # float32 is precise from 1e-38 on, and weights are smaller than deviations
# Of the mean. With its 24 bits, float32 rounds by up to 6e-8 of a value, and a few times on the way
# to an answer: at this deviation, that is less than a percent of it.
_NARROWEST = 1e-4


@dataclass(frozen=True)
class Valued:
    """The prediction of one text: a number, in the units of the training labels."""

    value: float

    def __str__(self) -> str:
        return f"{self.value:.4g}"


@dataclass(frozen=True)
class Regression(SequenceTask):
    """A number for each text: squared error on standardised values.

    The model learns (y - mean) / deviation; both are folded into the last layer when it is saved,
    so that whoever opens the folder reads values in the original units.
    """

    labels: tuple[str, ...] = ("value",)
    mean: float = 0.0
    deviation: float = 1.0

    name = "regression"
    metric = "pearson"
    problem_type = "regression"

    def is_answered_by(self, pretrained: Pretrained) -> bool:
        """No published layer is: it answers in original units, and training is on standardised."""
        return False

    def fit_to(self, columns: Columns, describe: Describe) -> Self:
        """Find mean and deviation.

        Raises `DataError` for values that are no numbers, or that float32 cannot tell apart.
        """
        values = self.targets(labels_of(columns), describe)
        if min(values) == max(values):
            raise DataError(
                f"all {len(values)} training values are {values[0]:g}; a regression needs values "
                "that differ"
            )
        farthest = max(map(abs, values))
        if farthest < _NEAREST:
            raise DataError(
                f"the training values go up to {farthest:g} only, and weights hold what is above "
                f"{_NEAREST:g}; divide all values by {_power_of_ten(farthest)}"
            )
        mean, deviation = fmean(values), pstdev(values)
        if deviation < _NARROWEST * abs(mean):
            raise DataError(
                f"the training values differ from their mean {mean:.10g} by {deviation:.3g} only, "
                f"and weights hold {_NARROWEST:g} of a mean or more; subtract {min(values):.15g} "
                "from all of them"
            )
        return replace(self, mean=mean, deviation=deviation)

    def targets(self, labels: Sequence[Any], describe: Describe) -> list[float]:
        """Return each label as a number; raises `DataError` for one that is none, or too large."""
        values = numbers_of(labels, describe, "correct it, or choose the task Classification")
        for row, value in enumerate(values):
            if abs(value) > _FARTHEST:
                raise DataError(
                    f"{describe(row)}: the value {value:g} is farther from 0 than {_FARTHEST:g}, "
                    f"which weights can hold; divide all values by {_power_of_ten(value)}"
                )
        return values

    def losses(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the squared error in units of the variance, and weight 1."""
        standardised = (targets.float() - self.mean) / self.deviation
        losses_N = (outputs.float()[:, 0] - standardised).square()
        return losses_N, torch.ones_like(losses_N)

    def values(self, outputs: Tensor) -> Tensor:
        """Return the predicted values, (N), in the units of the labels."""
        return outputs.float()[:, 0] * self.deviation + self.mean

    def averaged(self, outputs: Sequence[Tensor]) -> Tensor:
        """Return the mean of the models' values, (N, 1), which must be in the same units."""
        return torch.stack([one.float() for one in outputs]).mean(dim=0)

    def agreed(self, others: Sequence[Self]) -> Self:
        """Return this task: values need no rule."""
        return self

    def predict(self, outputs: Tensor) -> list[Valued]:
        """Return the value of each row."""
        return [Valued(value) for value in self.values(outputs).tolist()]

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Raise `ManyHeadsError`: a regression has none."""
        raise ManyHeadsError("a regression predicts values, not probabilities; call the predictor")

    def folded(self, head: SequenceHead) -> Self:
        """Fold mean and deviation into the head's last layer; return the task that fits it."""
        with torch.no_grad():
            head.out.weight.mul_(self.deviation)
            head.out.bias.mul_(self.deviation).add_(self.mean)
        return replace(self, mean=0.0, deviation=1.0)

    def score(self, labels: Sequence[Any], outputs: Tensor) -> metrics.Scores:
        """Return errors in the units of the labels, and correlations."""
        return metrics.regression_scores(
            self.targets(labels, "example {}".format), self.values(outputs).tolist()
        )

    def bag_of_words(
        self, seen: Sequence[str], labels: Sequence[Any], asked: Sequence[str], truth: Sequence[Any]
    ) -> metrics.Scores:
        """Return what a ridge regression over TF-IDF reaches."""
        values = baseline.predict_numbers(seen, [float(value) for value in labels], asked)
        return metrics.regression_scores([float(value) for value in truth], values)


def _power_of_ten(value: float) -> str:
    """Return the largest power of ten that is not farther from 0 than a value."""
    return f"1e{math.floor(math.log10(abs(value))):+03d}"
