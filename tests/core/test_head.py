"""Pooling and the sequence head."""

from __future__ import annotations

import pytest
import torch

from manyheads.core.head import SequenceHead, pool
from manyheads.core.layout import Layout
from manyheads.core.spec import Activation, HeadSpec, LayerNorm, Pooling
from manyheads.errors import LayoutError

LENGTHS = [3, 1, 4]


def by_hand(hidden_TD: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    parts = hidden_TD.split(LENGTHS)
    rows = [part[0] if pooling is Pooling.FIRST else part.mean(dim=0) for part in parts]
    return torch.stack(rows)


@pytest.mark.parametrize("pooling", Pooling)
def test_pool_takes_each_sequence_by_itself(pooling: Pooling) -> None:
    hidden_TD = torch.randn(8, 6, requires_grad=True)
    pooled = pool(hidden_TD, Layout(LENGTHS), pooling)
    torch.testing.assert_close(pooled, by_hand(hidden_TD, pooling))
    upstream = torch.randn_like(pooled)
    (found,) = torch.autograd.grad((pooled * upstream).sum(), hidden_TD)
    (expected,) = torch.autograd.grad((by_hand(hidden_TD, pooling) * upstream).sum(), hidden_TD)
    torch.testing.assert_close(found, expected)


def test_pool_refuses_tokens_of_another_batch() -> None:
    with pytest.raises(LayoutError, match="7 tokens but its layout says 8"):
        pool(torch.zeros(7, 6), Layout(LENGTHS), Pooling.MEAN)


@pytest.mark.parametrize("pooling", Pooling)
def test_a_full_head_is_out_of_norm_of_act_of_dense(pooling: Pooling) -> None:
    spec = HeadSpec(6, pooling, activation=Activation.TANH, norm=LayerNorm(1e-5), dropout=0.5)
    head = SequenceHead(spec, outputs=3).eval().requires_grad_(False)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    hidden_TD = torch.randn(8, 6)
    x = torch.tanh(by_hand(hidden_TD, pooling) @ head.dense.weight.T + head.dense.bias)
    x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    x = x * head.norm.weight + head.norm.bias
    torch.testing.assert_close(head.features(hidden_TD, Layout(LENGTHS)), x, atol=1e-5, rtol=1e-5)
    expected = x @ head.out.weight.T + head.out.bias
    torch.testing.assert_close(head(hidden_TD, Layout(LENGTHS)), expected, atol=1e-5, rtol=1e-5)


def test_a_head_without_dense_has_no_activation_either() -> None:
    head = SequenceHead(HeadSpec(6, Pooling.MEAN, dense=False), outputs=2)
    assert [name for name, _ in head.named_parameters()] == ["out.weight", "out.bias"]
    hidden_TD = torch.randn(8, 6)
    expected = by_hand(hidden_TD, Pooling.MEAN)
    torch.testing.assert_close(head.features(hidden_TD, Layout(LENGTHS)), expected)


def test_dropout_acts_in_training_only() -> None:
    head = SequenceHead(HeadSpec(64, pooled_dropout=0.3, dropout=0.3), outputs=2)
    hidden_TD, layout = torch.randn(8, 64), Layout(LENGTHS)
    assert not torch.equal(head(hidden_TD, layout), head(hidden_TD, layout))
    head.eval()
    assert torch.equal(head(hidden_TD, layout), head(hidden_TD, layout))
