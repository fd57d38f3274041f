"""From what a model says of its answers to how often such answers are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from manyheads.errors import ConfigError, DataError, MissingExtra

_FEWEST = 10  # questions
_CLIP = 1e-6


@dataclass(frozen=True)
class Isotonic:
    """A curve that only rises, through the frequencies of probabilities (Zadrozny and Elkan 2002).

    It takes any shape, and so wants hundreds of questions.
    """

    probabilities: tuple[float, ...]
    frequencies: tuple[float, ...]

    name = "isotonic"

    @classmethod
    def fit(cls, probabilities: Sequence[float], right: Sequence[bool]) -> Self:
        """Learn it of answers: what was said of each, and whether it was right.

        Raises `DataError` where there is nothing to learn, `MissingExtra` without scikit-learn.
        """
        _require_both(right)
        try:
            from sklearn.isotonic import IsotonicRegression
        except ImportError:
            raise MissingExtra("scikit-learn", "eval", "calibrating answers") from None
        curve = IsotonicRegression(y_min=0.0, y_max=1.0).fit(
            probabilities, np.asarray(right, float)
        )
        return cls(tuple(map(float, curve.X_thresholds_)), tuple(map(float, curve.y_thresholds_)))

    def __call__(self, probability: float) -> float:
        """Return how often answers of this probability are right."""
        return float(np.interp(probability, self.probabilities, self.frequencies))

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object for `calibration_from_json`."""
        return {
            "name": self.name,
            "probabilities": self.probabilities,
            "frequencies": self.frequencies,
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make it of what `to_json` returned."""
        return cls(tuple(saved["probabilities"]), tuple(saved["frequencies"]))


@dataclass(frozen=True)
class Platt:
    """A logistic curve over log-odds (Platt 1999): two numbers, learnt of few questions."""

    slope: float
    intercept: float

    name = "platt"

    @classmethod
    def fit(cls, probabilities: Sequence[float], right: Sequence[bool]) -> Self:
        """Learn it of answers: what was said of each, and whether it was right.

        Raises `DataError` where there is nothing to learn, `MissingExtra` without scikit-learn.
        """
        _require_both(right)
        try:
            from sklearn.linear_model import LogisticRegression
        except ImportError:
            raise MissingExtra("scikit-learn", "eval", "calibrating answers") from None
        odds_N1 = _log_odds(np.asarray(probabilities))[:, None]
        curve = LogisticRegression().fit(odds_N1, np.asarray(right, int))
        return cls(float(curve.coef_[0, 0]), float(curve.intercept_[0]))

    def __call__(self, probability: float) -> float:
        """Return how often answers of this probability are right."""
        odds = float(_log_odds(np.asarray(probability)))
        return float(1 / (1 + np.exp(-(self.slope * odds + self.intercept))))

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object for `calibration_from_json`."""
        return {"name": self.name, "slope": self.slope, "intercept": self.intercept}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make it of what `to_json` returned."""
        return cls(saved["slope"], saved["intercept"])


Calibration = Isotonic | Platt
_BY_NAME: dict[str, type[Isotonic] | type[Platt]] = {one.name: one for one in (Isotonic, Platt)}


def calibration_from_json(saved: Mapping[str, Any]) -> Calibration:
    """Return the curve that was saved; raises `ConfigError` for one that is unknown."""
    if saved["name"] not in _BY_NAME:
        raise ConfigError(
            f"the library has a calibration {saved['name']!r}; this version knows "
            f"{' and '.join(_BY_NAME)}"
        )
    return _BY_NAME[saved["name"]].from_json(saved)


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    sure = np.clip(probabilities, _CLIP, 1 - _CLIP)
    return np.asarray(np.log(sure) - np.log1p(-sure))


def _require_both(right: Sequence[bool]) -> None:
    """Raise `DataError` where all answers are right, or none, or there are too few."""
    if len(right) < _FEWEST:
        raise DataError(
            f"{len(right)} answers cannot say how often answers are right; give at least {_FEWEST} "
            "questions that are answered"
        )
    if all(right) or not any(right):
        raise DataError(
            f"{'all' if all(right) else 'none'} of {len(right)} answers are right, so that nothing "
            "can be learnt of their probabilities; give more questions"
        )
