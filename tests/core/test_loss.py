from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from manyheads.core import loss
from manyheads.core.loss import cross_entropies, total_cross_entropy


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 16 tokens, so that a test has several."""
    monkeypatch.setattr(loss, "_SCORES", 1)


def inputs(tokens: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, ...]:
    x, weight = torch.randn(tokens, 6, dtype=dtype), torch.randn(11, 6, dtype=dtype)
    bias = torch.randn(11, dtype=dtype)
    for one in (x, weight, bias):
        one.requires_grad_(True)
    return x, weight, bias, torch.randint(0, 11, (tokens,))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("tokens", [1, 16, 41])
def test_it_is_torchs_cross_entropy_with_its_gradient(tokens: int, smoothing: float):
    x, weight, bias, targets = inputs(tokens)
    plain = functional.cross_entropy(
        functional.linear(x, weight, bias), targets, label_smoothing=smoothing, reduction="sum"
    )
    expected = torch.autograd.grad(plain * 0.25, (x, weight, bias))
    total = total_cross_entropy(x, weight, bias, targets, smoothing)
    torch.testing.assert_close(total, plain)
    found = torch.autograd.grad(total * 0.25, (x, weight, bias))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_the_gradient_is_that_of_the_formula():
    x, weight, bias, targets = inputs(20, torch.float64)
    assert torch.autograd.gradcheck(
        lambda *given: total_cross_entropy(*given, targets, 0.1), (x, weight, bias)
    )


def test_without_a_bias_and_with_frozen_parts():
    x, weight, _, targets = inputs(20)
    total_cross_entropy(x, weight.detach(), None, targets).backward()
    expected = torch.autograd.grad(
        functional.cross_entropy(x @ weight.T, targets, reduction="sum"), x
    )
    torch.testing.assert_close(x.grad, *expected)
    assert weight.grad is None
    assert not total_cross_entropy(x.detach(), weight.detach(), None, targets).requires_grad


def test_each_token_has_its_loss_and_whether_it_was_guessed():
    x, weight, bias, targets = inputs(41)
    scores = functional.linear(x, weight, bias)
    losses, hits = cross_entropies(
        lambda some: functional.linear(some, weight, bias), x, targets, len(weight)
    )
    torch.testing.assert_close(
        losses, functional.cross_entropy(scores, targets, reduction="none").detach()
    )
    assert torch.equal(hits, scores.argmax(1) == targets)


def test_half_precision_adds_up_in_full():
    x, weight, bias, targets = inputs(41)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        total = total_cross_entropy(x, weight, bias, targets)
    assert total.dtype == torch.float32
    total.backward()
    plain = functional.cross_entropy(functional.linear(x, weight, bias), targets, reduction="sum")
    assert total.item() == pytest.approx(plain.item(), rel=0.02)
    (expected,) = torch.autograd.grad(plain, weight)
    torch.testing.assert_close(weight.grad, expected, rtol=0.1, atol=0.15)
