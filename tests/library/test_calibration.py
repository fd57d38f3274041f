"""Curves learnt of answers whose frequencies are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from manyheads.errors import ConfigError, DataError
from manyheads.library.calibration import Isotonic, Platt, calibration_from_json


def overconfident(count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and whether answers were right: half as often in log-odds as is said."""
    draw = np.random.default_rng(0)
    said = draw.uniform(0.02, 0.98, count)
    return said, draw.random(count) < true(said)


def true(said: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-0.5 * np.log(said / (1 - said))))


@pytest.mark.parametrize("curve", [Isotonic, Platt])
def test_confidences_mean_frequencies(curve: type[Isotonic] | type[Platt]) -> None:
    pytest.importorskip("sklearn")
    said, right = overconfident()
    learnt = curve.fit(said.tolist(), right.tolist())
    again = calibration_from_json(json.loads(json.dumps(learnt.to_json())))
    assert again == learnt
    asked = np.linspace(0.05, 0.95, 19)
    found = np.array([again(one) for one in asked])
    assert np.abs(found - true(asked)).mean() < 0.03 < np.abs(asked - true(asked)).mean()
    assert (np.diff(found) >= 0).all() and found.min() >= 0 and found.max() <= 1
    assert 0 <= again(0.0) <= again(1.0) <= 1


def test_what_is_refused() -> None:
    with pytest.raises(DataError, match="3 answers cannot say"):
        Platt.fit([0.1] * 3, [True] * 3)
    with pytest.raises(DataError, match="all of 12 answers are right"):
        Isotonic.fit([0.1] * 12, [True] * 12)
    with pytest.raises(ConfigError, match="'beta'"):
        calibration_from_json({"name": "beta"})
