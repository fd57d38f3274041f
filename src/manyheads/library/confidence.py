"""How sure to be of a model's answers: by the curve that was learnt of that model, and no other.

A model is known by what it says of one text, not by where it lies: folders move, and what lies in
them is exchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from manyheads.library.calibration import Calibration, calibration_from_json
from manyheads.predict import Answerer

_CHECKED = "Whoever answers this twice says the same. 同一个模型，同一个答案。"
_SAME = 0.02  # of the largest number: other models differ more, products in bfloat16 less


def curve_of(answerer: Answerer, saved: Sequence[Mapping[str, Any]]) -> Calibration | None:
    """Return the curve that was learnt of this model, None where there is none."""
    check = _check(answerer)
    found = [one["curve"] for one in saved if _are_equal(check, np.array(one["check"]))]
    return calibration_from_json(found[0]) if found else None


def with_curve(
    answerer: Answerer, curve: Calibration, saved: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return what was saved, with a curve for this model in the place of an older one."""
    check = _check(answerer)
    others = [one for one in saved if not _are_equal(check, np.array(one["check"]))]
    return [*others, {"check": check.tolist(), "curve": curve.to_json()}]


def _check(answerer: Answerer) -> np.ndarray:
    return answerer.check_vectors([_CHECKED]).astype(float).ravel()


def _are_equal(one: np.ndarray, other: np.ndarray) -> bool:
    limit = _SAME * float(np.abs(one).max())
    return one.shape == other.shape and np.allclose(one, other, rtol=0, atol=limit)
