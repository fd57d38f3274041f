"""Dropout: its share, its scale, its gradient, its repeatability."""

from __future__ import annotations

import pytest
import torch

from manyheads.core.dropout import Dropout, drop


@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 0.9])
def test_a_share_p_is_dropped_and_the_rest_divided_by_what_stays(p: float) -> None:
    x = torch.full((300, 1001), 2.0)
    out = drop(x, p)
    kept = out != 0
    torch.testing.assert_close(out[kept], torch.full_like(out[kept], 2 / (1 - p)))
    error = (p * (1 - p) / x.numel()) ** 0.5
    assert abs(1 - kept.double().mean() - p) < 5 * error + 2**-16


def test_elements_are_dropped_independently() -> None:
    kept = (drop(torch.ones(400, 500), 0.5) != 0).double()
    for row, column in ((0, 1), (0, 2), (0, 4), (1, 0), (1, 1), (4, 0)):
        shifted = kept.roll((row, column), dims=(0, 1))
        correlation = ((kept - 0.5) * (shifted - 0.5)).mean() * 4
        assert abs(correlation) < 5 / kept.numel() ** 0.5
    assert kept.mean(dim=0).std() < 0.04
    assert kept.mean(dim=1).std() < 0.04


def test_everything_is_dropped_where_nothing_may_stay() -> None:
    assert torch.equal(drop(torch.full((3, 5), 2.0), 1.0), torch.zeros(3, 5))


def test_the_gradient_is_that_of_the_mask() -> None:
    x = torch.randn(50, 7, requires_grad=True)
    out = drop(x, 0.3)
    (gradient,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(gradient * x, out)


def test_the_seed_of_torch_repeats_it_and_every_call_differs() -> None:
    x = torch.ones(1000)
    torch.manual_seed(7)
    one, other = drop(x, 0.5), drop(x, 0.5)
    torch.manual_seed(7)
    assert torch.equal(drop(x, 0.5), one)
    assert torch.equal(drop(x, 0.5), other)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (5, 7), (2, 3, 1, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_shape_and_dtype_stay(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    out = drop(torch.ones(shape, dtype=dtype), 0.25)
    assert (out.shape, out.dtype) == (torch.Size(shape), dtype)
    assert ((out == 0) | torch.isclose(out.double(), torch.tensor(4 / 3).double(), rtol=1e-2)).all()


def test_nothing_is_dropped_at_rate_zero_or_outside_training() -> None:
    x = torch.randn(100)
    assert drop(x, 0.0) is x
    assert Dropout(0.5).eval()(x) is x
    assert not torch.equal(Dropout(0.5).train()(x), x)
