"""Feed-forward layers against hand formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from manyheads.core.feedforward import FeedForward, GatedFeedForward, make_feedforward
from manyheads.core.spec import Activation, FeedForwardSpec

FORMULAS = {
    Activation.GELU: lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    Activation.GELU_TANH: lambda x: (
        x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2
    ),
    Activation.RELU: lambda x: max(x, 0.0),
    Activation.SILU: lambda x: x / (1 + math.exp(-x)),
    Activation.TANH: math.tanh,
}


def act(activation: Activation, x: Tensor) -> Tensor:
    return torch.tensor([FORMULAS[activation](value) for value in x.flatten().tolist()]).view_as(x)


def perturbed(layer: FeedForward) -> FeedForward:
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer.requires_grad_(False)


@pytest.mark.parametrize("activation", Activation)
def test_plain_is_down_of_act_of_up(activation: Activation) -> None:
    layer = perturbed(make_feedforward(FeedForwardSpec(7, activation), 4))
    assert type(layer) is FeedForward
    x_TD = torch.randn(5, 4)
    inner = act(activation, x_TD @ layer.up.weight.T + layer.up.bias)
    expected = inner @ layer.down.weight.T + layer.down.bias
    torch.testing.assert_close(layer(x_TD), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("activation", Activation)
def test_gated_multiplies_the_activated_half_by_the_linear_half(activation: Activation) -> None:
    layer = perturbed(make_feedforward(FeedForwardSpec(7, activation, gated=True), 4))
    assert type(layer) is GatedFeedForward
    x_TD = torch.randn(5, 4)
    activated = x_TD @ layer.up.weight[:7].T + layer.up.bias[:7]
    linear = x_TD @ layer.up.weight[7:].T + layer.up.bias[7:]
    expected = (act(activation, activated) * linear) @ layer.down.weight.T + layer.down.bias
    torch.testing.assert_close(layer(x_TD), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("gated", [False, True])
def test_bias_is_there_only_where_the_spec_says(gated: bool) -> None:
    names = dict(
        make_feedforward(FeedForwardSpec(7, gated=gated, bias=False), 4).named_parameters()
    )
    assert sorted(names) == ["down.weight", "up.weight"]


def test_dropout_divides_by_what_stays_and_rests_outside_training() -> None:
    layer = FeedForward(FeedForwardSpec(1000, Activation.RELU, dropout=0.25), 1)
    with torch.no_grad():
        layer.up.weight.fill_(1)
        layer.up.bias.zero_()
        layer.down.weight.fill_(1)
        layer.down.bias.zero_()
    kept = layer.train()(torch.ones(1, 1)).item() * 0.75
    assert kept == pytest.approx(round(kept), abs=1e-3)
    assert 650 < kept < 850
    assert layer.eval()(torch.ones(1, 1)).item() == pytest.approx(1000)
