"""Rules that turn outputs into decisions, chosen on rows that training has not seen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum
from statistics import fmean
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from manyheads.errors import RecipeError

_BINS = 15
_COLDEST, _HOTTEST = 0.05, 20.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibrated:
    """Probabilities that mean frequencies: outputs are divided by a temperature (Guo et al. 2017).

    With `precision`, what is less certain than it takes for so large a share of right predictions
    is left open. The rest is found on the validation split: the temperature, from which probability
    on a prediction is sure, and the calibration error (`calibration_error`) before and after.
    """

    precision: float | None = None
    temperature: float = 1.0
    sure_from: float = 0.0
    error_before: float | None = None
    error_after: float | None = None

    def __post_init__(self) -> None:
        if self.precision is not None and not 0 < self.precision < 1:
            raise RecipeError(f"precision={self.precision} is no share; choose such as 0.95")

    def __str__(self) -> str:
        said = f"temperature {self.temperature:.3f}"
        if self.error_before is not None and self.error_after is not None:
            said += f", calibration error {self.error_before:.3f} → {self.error_after:.3f}"
        # What is sure begins above 0 once it was found: no probability on a prediction is 0.
        return f"{said}; sure from {self.sure_from:.3f} on" if self.sure_from else said

    def tuned(self, outputs_NC: Tensor, targets_N: Tensor) -> Self:
        """Return it with what is best for outputs whose targets are known."""
        temperature = best_temperature(outputs_NC, targets_N)
        before, after = (
            functional.softmax(outputs_NC.float() / by, dim=-1).double().numpy()
            for by in (1.0, temperature)
        )
        right_N = outputs_NC.argmax(dim=-1).eq(targets_N).numpy()
        before_N, after_N, wanted = before.max(axis=1), after.max(axis=1), self.precision
        return replace(
            self,
            temperature=temperature,
            sure_from=0.0 if wanted is None else least_sure(after_N, right_N, wanted),
            error_before=calibration_error(before_N, right_N),
            error_after=calibration_error(after_N, right_N),
        )

    def agreed(self, others: Sequence[Self]) -> Self:
        """Return it with the mean of where it and others begin to be sure."""
        sure_from = fmean(one.sure_from for one in (self, *others))
        return replace(self, sure_from=sure_from, error_before=None, error_after=None)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return asdict(self)


class Average(Enum):
    """Which F1 thresholds are chosen for."""

    MACRO = "macro"  # of each label by itself: one threshold for each
    MICRO = "micro"  # of all decisions together: the same threshold for all


@dataclass(frozen=True)
class Thresholds:
    """The probability from which on a label is given, chosen for F1 on the validation split."""

    average: Average = Average.MACRO
    values: tuple[float, ...] = ()

    def __str__(self) -> str:
        if not self.values:
            return f"thresholds to be chosen for {self.average.value} F1"
        low, high = min(self.values), max(self.values)
        return f"labels are given from probabilities of {low:.3f} to {high:.3f} on"

    def tuned(self, probabilities_NC: Floats, truth_NC: NDArray[np.bool_]) -> Self:
        """Return it with what is best for probabilities of rows whose labels are known."""
        labels = probabilities_NC.shape[1]
        if self.average is Average.MICRO:
            best = best_threshold(probabilities_NC.ravel(), truth_NC.ravel())
            return replace(self, values=(best,) * labels)
        columns = zip(probabilities_NC.T, truth_NC.T, strict=True)
        return replace(self, values=tuple(best_threshold(*column) for column in columns))

    def agreed(self, others: Sequence[Self]) -> Self:
        """Return it with the mean of its values and those of others, label by label."""
        chosen = [one.values for one in (self, *others) if one.values]
        return replace(self, values=tuple(map(fmean, zip(*chosen, strict=True))))

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return {"average": self.average.value, "values": list(self.values)}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make it again from `to_json`."""
        return cls(Average(saved["average"]), tuple(saved["values"]))


def best_temperature(outputs_NC: Tensor, targets_N: Tensor) -> float:
    """Return the temperature with the least cross entropy, between 1/20 and 20.

    The loss is convex in 1/T, so that there is one.
    """
    from scipy.optimize import minimize_scalar

    outputs, targets = outputs_NC.double(), targets_N

    def loss(log_temperature: float) -> float:
        return float(functional.cross_entropy(outputs / math.exp(log_temperature), targets))

    bounds = (math.log(_COLDEST), math.log(_HOTTEST))
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x)


def calibration_error(confidence_N: Floats, right_N: NDArray[np.bool_]) -> float:
    """Return the expected calibration error over 15 bins of equal width (Naeini et al. 2015)."""
    bins_N = np.minimum((confidence_N * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins_N, weights=right_N - confidence_N, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(confidence_N))


def least_sure(confidence_N: Floats, right_N: NDArray[np.bool_], precision: float) -> float:
    """Return the least confidence from which on so large a share is right.

    Where no confidence is enough, what is above the highest one seen.
    """
    order = np.argsort(-confidence_N, kind="stable")
    sorted_N = confidence_N[order]
    shares_N = np.cumsum(right_N[order]) / np.arange(1, len(order) + 1)
    # Equal confidences are decided together: only the last of them counts.
    is_last_N = np.append(sorted_N[1:] != sorted_N[:-1], True)
    enough = np.flatnonzero((shares_N >= precision) & is_last_N)
    if not len(enough):
        return float(np.nextafter(sorted_N[0], np.inf))
    return float(sorted_N[enough[-1]])


def best_threshold(probabilities_N: Floats, truth_N: NDArray[np.bool_]) -> float:
    """Return the threshold with the best F1, in the middle between two probabilities.

    Of equal ones the nearest to one half; one half where nothing is true.
    """
    if not truth_N.any():
        return 0.5
    order = np.argsort(-probabilities_N, kind="stable")
    sorted_N = probabilities_N[order].astype(float)
    right_N = np.cumsum(truth_N[order])
    f1_N = 2 * right_N / (np.arange(1, len(order) + 1) + truth_N.sum())
    f1_N[np.append(sorted_N[1:] == sorted_N[:-1], False)] = -1.0
    next_N = np.append(sorted_N[1:], 0.0)
    candidates = np.flatnonzero(f1_N == f1_N.max())
    middles = (sorted_N[candidates] + next_N[candidates]) / 2
    return float(middles[np.abs(middles - 0.5).argmin()])
