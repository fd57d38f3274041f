"""Norm slots, attention projections and blocks against hand formulas."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from manyheads.core.attention import Attention
from manyheads.core.block import Block, Norms
from manyheads.core.layout import Layout
from manyheads.core.mask import Causal
from manyheads.core.spec import (
    AttentionSpec,
    BlockSpec,
    FeedForwardSpec,
    LayerNorm,
    NormSlots,
)

WIDTH = 12
NORM = LayerNorm(1e-5)


def perturb(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module.requires_grad_(False)


def layer_norm(x: Tensor, norm: nn.Module, epsilon: float = 1e-5) -> Tensor:
    """(x-μ)/√(σ²+ε)·γ+β with the biased variance."""
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = (centred**2).mean(dim=-1, keepdim=True)
    bias = norm.bias if norm.bias is not None else 0.0
    return centred / (variance + epsilon) ** 0.5 * norm.weight + bias


SLOTS = {
    "none": (NormSlots(), lambda x, f, n: x + f(x)),
    "post": (NormSlots(residual=NORM), lambda x, f, n: layer_norm(x + f(x), n.residual)),
    "pre": (NormSlots(before=NORM), lambda x, f, n: x + f(layer_norm(x, n.before))),
    "sandwich": (
        NormSlots(before=NORM, after=NORM),
        lambda x, f, n: x + layer_norm(f(layer_norm(x, n.before)), n.after),
    ),
}


@pytest.mark.parametrize(("slots", "formula"), SLOTS.values(), ids=SLOTS)
def test_norm_slots_are_their_formulas(slots: NormSlots, formula: object) -> None:
    norms = perturb(Norms(slots, WIDTH))
    sublayer = perturb(nn.Linear(WIDTH, WIDTH))
    x_TD = torch.randn(5, WIDTH) * 3 + 1
    torch.testing.assert_close(
        norms(x_TD, sublayer), formula(x_TD, sublayer, norms), atol=1e-5, rtol=1e-5
    )


def test_a_norm_without_bias_has_no_bias() -> None:
    norms = Norms(NormSlots(before=LayerNorm(1e-5, bias=False)), WIDTH)
    assert [name for name, _ in norms.named_parameters()] == ["before.weight"]
    perturb(norms)
    x_TD = torch.randn(5, WIDTH)
    expected = x_TD + layer_norm(x_TD, norms.before)
    torch.testing.assert_close(norms(x_TD, nn.Identity()), expected, atol=1e-5, rtol=1e-5)


def test_attention_projects_the_whole_input_for_every_head() -> None:
    """Rows of `qkv`: H query heads, G key heads, G value heads, K rows each."""
    spec = AttentionSpec(heads=4, kv_heads=2, head_dim=5, reach=Causal(), scale=0.3)
    attention = perturb(Attention(spec, WIDTH))
    layout = Layout([4, 3])
    x_TD = torch.randn(7, WIDTH)
    rows, bias = attention.qkv.weight.split(5), attention.qkv.bias.split(5)
    expected = []
    for x in x_TD.split([4, 3]):
        future = torch.ones(len(x), len(x)).triu(1).bool()
        heads = []
        for head in range(4):
            q = x @ rows[head].T + bias[head]
            k = x @ rows[4 + head // 2].T + bias[4 + head // 2]
            v = x @ rows[6 + head // 2].T + bias[6 + head // 2]
            scores = (q @ k.T * 0.3).masked_fill(future, -torch.inf)
            heads.append(scores.softmax(dim=-1) @ v)
        expected.append(torch.cat(heads, dim=-1) @ attention.out.weight.T + attention.out.bias)
    torch.testing.assert_close(attention(x_TD, layout), torch.cat(expected), atol=1e-5, rtol=1e-5)


def test_attention_scales_by_the_root_of_the_head_size_unless_told() -> None:
    assert Attention(AttentionSpec(2, 16, 2), WIDTH).attend.scale == pytest.approx(1 / 4)
    assert Attention(AttentionSpec(2, 16, 2, scale=1.0), WIDTH).attend.scale == 1.0


def test_attention_biases_are_there_only_where_the_spec_says() -> None:
    spec = AttentionSpec(heads=2, kv_heads=2, head_dim=4, bias=False, out_bias=True)
    names = [name for name, _ in Attention(spec, WIDTH).named_parameters()]
    assert names == ["qkv.weight", "out.weight", "out.bias"]


def test_a_block_is_attention_then_feedforward_each_in_its_residual() -> None:
    spec = BlockSpec(
        attention=AttentionSpec(heads=2, kv_heads=2, head_dim=6),
        feedforward=FeedForwardSpec(20),
        attention_norms=NormSlots(residual=NORM),
        feedforward_norms=NormSlots(before=NORM),
    )
    block = perturb(Block(spec, WIDTH))
    layout = Layout([2, 5])
    x_TD = torch.randn(7, WIDTH)
    middle = layer_norm(x_TD + block.attention(x_TD, layout), block.attention_norms.residual)
    normed = layer_norm(middle, block.feedforward_norms.before)
    expected = middle + block.feedforward(normed)
    torch.testing.assert_close(block(x_TD, layout), expected, atol=1e-5, rtol=1e-5)
