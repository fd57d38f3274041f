from __future__ import annotations

import numpy as np
import pytest

from manyheads.errors import DataError
from manyheads.tasks.baseline import (
    is_unspaced,
    predict_label_sets,
    predict_labels,
    predict_numbers,
)

ENGLISH = ["a lovely, warm film", "lovely and funny", "dull and slow", "a slow, dull bore"] * 3
CHINESE = ["房间很干净，服务很好", "服务好，干净", "房间很脏，太吵", "又脏又吵的房间"] * 3
GOOD_BAD = ["good", "good", "bad", "bad"] * 3


@pytest.mark.parametrize(
    ("texts", "new"), [(ENGLISH, ["warm, lovely", "slow"]), (CHINESE, ["很干净", "太脏了"])]
)
def test_labels_are_learnt_in_either_kind_of_script(texts: list[str], new: list[str]):
    found = predict_labels(texts, GOOD_BAD, new, labels=("good", "bad"))
    assert found.predicted == ["good", "bad"]
    assert found.probabilities.sum(axis=1) == pytest.approx([1, 1])
    assert found.probabilities[0, 0] > 0.5 > found.probabilities[1, 0]


def test_columns_follow_the_given_order_and_unseen_labels_get_nothing():
    labels = ("good", "unseen", "bad")
    found = predict_labels(ENGLISH, GOOD_BAD, ["dull"], labels)
    assert found.labels == labels
    assert found.predicted == ["bad"]
    assert found.probabilities[0, 1] == 0
    assert found.probabilities[0].argmax() == 2


def test_label_sets_are_learnt_label_by_label():
    rows = [["good", "film"], ["good"], ["bad", "all"], ["bad"]] * 3
    rows = [[*row, "always"] for row in rows]
    found = predict_label_sets(ENGLISH, rows, ["lovely", "dull"], ("good", "bad", "always", "no"))
    assert found.predicted == [("good", "always"), ("bad", "always")]
    assert found.probabilities[:, 3].tolist() == [0, 0]


def test_numbers_are_learnt():
    numbers = [5.0, 4.0, 2.0, 1.0] * 3
    better, worse = predict_numbers(ENGLISH, numbers, ["warm lovely film", "slow dull bore"])
    assert better > np.mean(numbers) > worse


def test_the_same_input_gives_the_same_predictions():
    first = predict_labels(ENGLISH, GOOD_BAD, ENGLISH, ("bad", "good"))
    second = predict_labels(ENGLISH, GOOD_BAD, ENGLISH, ("bad", "good"))
    assert np.array_equal(first.probabilities, second.probabilities)


@pytest.mark.parametrize(
    ("text", "unspaced"),
    [
        ("房间很干净", True),
        ("とても良い", True),
        ("ดีมาก", True),
        ("very good", False),
        ("очень хорошо", False),
        ("매우 좋아요", False),  # Korean puts spaces
        ("the word 好 means good", False),
        ("iPhone 手机壳的质量非常好", True),
        ("", False),
        ("123 !?", False),
    ],
)
def test_script_of_a_text(text: str, unspaced: bool):
    assert is_unspaced([text]) == unspaced


def test_nothing_to_learn_from_is_an_error():
    with pytest.raises(DataError, match="no words"):
        predict_labels(["", "!?"], ["a", "b"], ["x"], ("a", "b"))
    with pytest.raises(DataError, match="at least two labels"):
        predict_labels(["x", "y"], ["a", "a"], ["x"], ("a", "b"))
