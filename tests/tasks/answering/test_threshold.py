"""The threshold of SQuAD 2.0, against a transcription of its evaluation and brute force."""

from __future__ import annotations

import numpy as np
import pytest

from manyheads.tasks.answering.threshold import best_threshold


def official_best(
    margins: list[float], answered: list[float], is_answerable: list[bool]
) -> tuple[float, float]:
    """`find_best_thresh` of evaluate-v2.0.py: the best score, and its threshold."""
    score = best = float(sum(not one for one in is_answerable))
    threshold = -np.inf
    for number in sorted(range(len(margins)), key=margins.__getitem__):
        score += answered[number] if is_answerable[number] else -1
        if score > best:
            best, threshold = score, margins[number]
    return best, threshold


def total(
    threshold: float, margins: np.ndarray, answered: np.ndarray, refused: np.ndarray
) -> float:
    return float(np.where(margins > threshold, refused, answered).sum())


def test_the_best_score_of_the_official_evaluation_is_reached() -> None:
    draw = np.random.default_rng(0)
    elsewhere = 0
    for size in [1, 2, 3, 5, 40] * 40:
        margins = draw.normal(draw.normal(0, 3), 2, size)
        answerable = draw.random(size) < 0.6
        answered = np.where(answerable, draw.choice([0, 0.5, 1], size), 0.0)
        refused = (~answerable).astype(float)
        found = best_threshold(margins, answered, refused)
        best, _ = official_best(margins.tolist(), answered.tolist(), answerable.tolist())
        assert np.isfinite(found)
        assert total(found, margins, answered, refused) == pytest.approx(best)
        elsewhere += found != 0
    assert elsewhere > 50


def test_equal_margins_are_decided_alike() -> None:
    margins = np.array([1.0, 1.0, 1.0, 3.0])
    answered, refused = np.array([1.0, 0, 1, 0]), np.array([0.0, 1, 0, 1])
    assert best_threshold(margins, answered, refused) == 2.0


@pytest.mark.parametrize(
    ("margins", "answered", "refused", "expected"),
    [
        ([-4, -2], [1, 0], [0, 1], -3),
        ([-1, 1], [1, 0], [0, 1], 0),  # what holds without a threshold stays
        ([5, 6], [1, 1], [0, 0], 7),  # never refuse
        ([-6, -5], [0, 0], [1, 1], -7),  # always
        ([2], [0.5], [0.5], 0),  # it makes no difference
    ],
)
def test_thresholds_lie_between_questions_and_near_zero(
    margins: list[float], answered: list[float], refused: list[float], expected: float
) -> None:
    found = best_threshold(
        np.array(margins, float), np.array(answered, float), np.array(refused, float)
    )
    assert found == expected
