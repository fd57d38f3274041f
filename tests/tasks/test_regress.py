from __future__ import annotations

import pytest
import torch

from manyheads.core.head import SequenceHead
from manyheads.core.spec import HeadSpec
from manyheads.errors import DataError, ManyHeadsError
from manyheads.tasks import Regression

DESCRIBE = "table.csv, line {}".format


def fitted(values: list[object]) -> Regression:
    return Regression().fit_to({"label": values}, DESCRIBE)


def test_mean_and_deviation_come_from_the_data():
    task = fitted([2, 4.0, "6"])
    assert task.mean == pytest.approx(4.0)
    assert task.deviation == pytest.approx((8 / 3) ** 0.5)


def test_the_loss_is_in_units_of_the_variance_and_zero_for_the_truth():
    task = fitted([0.0, 10.0])  # mean 5, deviation 5
    losses, weights = task.losses(torch.tensor([[0.0], [1.0]]), torch.tensor([5.0, 0.0]))
    assert losses.tolist() == pytest.approx([0.0, 4.0])
    assert weights.tolist() == [1.0, 1.0]


def test_predictions_are_in_the_units_of_the_labels():
    task = fitted([0.0, 10.0])
    low, high = task.predict(torch.tensor([[-1.0], [2.0]]))
    assert (low.value, high.value) == pytest.approx((0.0, 15.0))
    assert str(high) == "15"


def test_folding_leaves_the_predictions_as_they_are():
    task = fitted([100.0, 300.0])
    head = SequenceHead(HeadSpec(width=6), 1)
    pooled = torch.randn(4, 6)
    before = task.values(head(pooled))
    folded = task.folded(head)
    assert (folded.mean, folded.deviation) == (0.0, 1.0)
    torch.testing.assert_close(head(pooled)[:, 0], before, rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(folded.values(head(pooled)), before, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("bad", ["good", None, float("nan"), float("inf"), ""])
def test_what_is_no_finite_number_is_refused_with_its_row(bad: object):
    with pytest.raises(DataError, match=r"line 1.*finite number"):
        fitted([1.0, bad, 2.0])


def test_values_that_never_differ_are_refused():
    with pytest.raises(DataError, match="all 3 training values are 7"):
        fitted([7, 7.0, "7"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.7e9 + 40 * (n % 2) + 0.5 for n in range(20)], r"by 20 only.* subtract 1700000000\.5 "),
        ([1e12 + n / 2 for n in range(36)], r"differ from their mean .* subtract 1000000000000 "),
        ([1e300 * (n + 1) for n in range(5)], r"line 0: the value 1e\+300 .* by 1e\+300$"),
        ([0, -2e30, 4e30], r"line 1: the value -2e\+30 is farther from 0 than 1e\+30"),
        ([1e-300 * n for n in range(5)], r"go up to 4e-300 .* by 1e-300$"),
    ],
)
def test_values_that_weights_cannot_hold_are_refused(values: list[float], message: str):
    with pytest.raises(DataError, match=message):
        fitted(values)


def test_what_is_to_be_subtracted_is_enough():
    values = [1_234_567_890 + 10 * n for n in range(40)]
    with pytest.raises(DataError, match="subtract 1234567890 from all of them"):
        fitted(values)
    assert fitted([value - 1_234_567_890 for value in values]).deviation == pytest.approx(115.434)


def test_values_of_other_splits_must_be_held_too():
    with pytest.raises(DataError, match=r"line 1: the value 1e\+300"):
        fitted([1.0, 2.0]).check({"text": ["a", "b"], "label": [1.0, 1e300]}, DESCRIBE)


def test_answers_keep_a_percent_of_a_deviation_where_values_are_farthest():
    torch.manual_seed(0)
    task = fitted([9_999_000 + 1000 * (-1) ** n for n in range(40)])
    assert task.deviation == pytest.approx(1.0001e-4 * task.mean, rel=1e-3)
    head = SequenceHead(HeadSpec(width=6), 1)
    pooled = torch.randn(40, 6)
    standardised = head(pooled)[:, 0].double()
    losses, _ = task.losses(torch.ones(1, 1), torch.tensor([task.mean + task.deviation]))
    folded = task.folded(head)
    answers = folded.values(head(pooled)).double()
    assert losses.sqrt().item() < 0.01
    assert ((answers - task.mean) / task.deviation - standardised).abs().max() < 0.01


def test_years_and_large_sums_are_held():
    assert fitted([1990, 2020]).mean == 2005
    assert fitted([-250_000, 250_000]).deviation == 250_000


def test_a_regression_has_no_probabilities():
    with pytest.raises(ManyHeadsError, match="values, not probabilities"):
        Regression().probabilities(torch.zeros(1, 1))
