from __future__ import annotations

import json
import math

import pytest

from manyheads.train.history import History, Validation
from manyheads.train.loop import Step


def history(*scores: tuple[float, float]) -> History:
    steps = [Step(n + 1, 0.1 + n / 3, 1e-3 / 3, 0.7, 8, 100 + n, 0.01) for n in range(4)]
    validations = [
        Validation(n + 1, {"loss": loss, "accuracy": accuracy})
        for n, (loss, accuracy) in enumerate(scores)
    ]
    return History(steps, validations)


def test_a_history_survives_json_bit_by_bit():
    one = history((1 / 3, 0.1), (0.2, 2 / 7))
    assert History.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_tokens_are_counted():
    assert history().tokens == 100 + 101 + 102 + 103


def test_the_best_validation():
    one = history((0.9, 0.5), (0.8, 0.7), (0.7, 0.6))
    assert one.values("accuracy") == [0.5, 0.7, 0.6]
    assert one.best("accuracy") == 1
    assert one.best("loss") == 2


def test_equals_are_decided_by_the_loss():
    assert history((0.9, 0.7), (0.5, 0.7), (0.6, 0.7)).best("accuracy") == 1


def test_without_validations_none_is_best():
    assert history().best("accuracy") is None


def test_a_score_that_is_no_number_is_never_the_best():
    assert history((0.9, math.nan), (0.5, 0.2), (0.4, math.nan)).best("accuracy") == 1


def test_where_every_score_is_no_number_the_lowest_loss_is_the_best():
    assert history((0.9, math.nan), (0.4, math.nan)).best("accuracy") == 1


@pytest.mark.parametrize("losses", [(math.nan, 0.3), (0.3, math.nan)])
def test_equals_with_a_loss_that_is_no_number(losses: tuple[float, float]):
    one = history((losses[0], 0.7), (losses[1], 0.7))
    assert one.best("accuracy") == losses.index(0.3)
