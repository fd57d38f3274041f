"""What several models say together is the mean of what they say alone."""

from __future__ import annotations

import torch

from manyheads.tasks import Average, Calibrated, Classification, MultiLabel, Regression, Thresholds
from manyheads.tasks.averaging import mean_of_sigmoids, mean_of_softmaxes

ONE = torch.tensor([[2.0, -1.0, 0.5], [90.0, 0.0, -90.0]])
OTHER = torch.tensor([[-3.0, 4.0, 0.0], [90.0, 1.0, -95.0]])


def test_the_softmax_is_the_mean_of_softmaxes():
    expected = (ONE.softmax(-1) + OTHER.softmax(-1)) / 2
    assert torch.allclose(mean_of_softmaxes([ONE, OTHER]).softmax(-1), expected)
    assert mean_of_softmaxes([ONE, OTHER]).isfinite().all()


def test_the_sigmoid_is_the_mean_of_sigmoids_however_large():
    expected = (ONE.double().sigmoid() + OTHER.double().sigmoid()) / 2
    found = mean_of_sigmoids([ONE, OTHER])
    assert torch.allclose(found.double().sigmoid(), expected)
    assert found.isfinite().all()
    assert torch.allclose(mean_of_sigmoids([ONE, ONE]), ONE)


def test_values_are_averaged():
    values = [torch.tensor([[1.0], [4.0]]), torch.tensor([[3.0], [-4.0]])]
    assert Regression().averaged(values).tolist() == [[2.0], [0.0]]


def test_rules_are_averaged():
    def thresholds(*values: float) -> MultiLabel:
        return MultiLabel(("a", "b"), thresholds=Thresholds(Average.MACRO, values))

    agreed = thresholds(0.25, 0.75).agreed([thresholds(0.75, 0.75)])
    assert agreed.thresholds == Thresholds(Average.MACRO, (0.5, 0.75))
    assert MultiLabel(("a",)).agreed([MultiLabel(("a",))]).thresholds is None
    sure = [
        Classification(("a", "b"), calibration=Calibrated(0.9, sure_from=share))
        for share in (0.6, 0.8)
    ]
    found = sure[0].agreed(sure[1:]).calibration
    assert found is not None and abs(found.sure_from - 0.7) < 1e-9
