"""A change of low rank begins as none, learns alone, and merges into what it changed."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from manyheads.core.low_rank import LowRankLinear


@pytest.mark.parametrize("bias", [True, False])
def test_it_begins_as_the_layer_that_it_changes(bias: bool):
    linear = nn.Linear(6, 4, bias=bias)
    x = torch.randn(5, 6)
    expected = linear(x)
    assert torch.equal(LowRankLinear(linear, rank=2, alpha=8.0, dropout=0.0)(x), expected)


def test_only_the_two_small_matrices_learn():
    layer = LowRankLinear(nn.Linear(6, 4), rank=2, alpha=8.0, dropout=0.0)
    learnt = {name: one.shape for name, one in layer.named_parameters() if one.requires_grad}
    assert learnt == {"down": (2, 6), "up": (4, 2)}
    layer(torch.randn(3, 6)).sum().backward()
    assert layer.weight.grad is None and layer.up.grad.abs().sum() > 0


def test_it_computes_what_the_paper_says_and_merges_to_the_same():
    layer = LowRankLinear(nn.Linear(6, 4), rank=3, alpha=6.0, dropout=0.0).double()
    nn.init.normal_(layer.up)
    x = torch.randn(5, 6, dtype=torch.float64)
    product = layer.up @ layer.down
    expected = x @ layer.weight.T + layer.bias + 6.0 / 3 * (x @ product.T)
    assert torch.linalg.matrix_rank(product) == 3
    torch.testing.assert_close(layer(x), expected)
    merged = layer.merged()
    assert type(merged) is nn.Linear and merged.weight.requires_grad
    torch.testing.assert_close(merged(x), expected)


def test_dropout_is_of_the_change_alone():
    layer = LowRankLinear(nn.Linear(64, 8), rank=2, alpha=2.0, dropout=0.5)
    x = torch.randn(3, 64)
    plain = nn.functional.linear(x, layer.weight, layer.bias)
    assert torch.equal(layer.train()(x), plain)  # up is still zero
    nn.init.normal_(layer.up)
    assert not torch.allclose(layer(x), layer(x))
    assert torch.equal(layer.eval()(x), layer(x))
