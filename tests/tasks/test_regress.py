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
        ([1.7e9 + 40 * (n % 2) for n in range(20)], r"by 20 only.* subtract 1\.7e\+09"),
        ([1e12 + n / 2 for n in range(36)], r"differ from their mean .* subtract 1e\+12"),
        ([1e300 * n for n in range(5)], r"go up to 4e\+300; weights hold"),
        ([1e-300 * n for n in range(5)], r"go up to 4e-300; weights hold"),
    ],
)
def test_values_that_weights_cannot_hold_are_refused(values: list[float], message: str):
    with pytest.raises(DataError, match=message):
        fitted(values)


def test_years_and_large_sums_are_held():
    assert fitted([1990, 2020]).mean == 2005
    assert fitted([-250_000, 250_000]).deviation == 250_000


def test_a_regression_has_no_probabilities():
    with pytest.raises(ManyHeadsError, match="values, not probabilities"):
        Regression().probabilities(torch.zeros(1, 1))
