"""Pooling and the sequence head."""

from __future__ import annotations

import pytest
import torch

from manyheads.core.head import SequenceHead
from manyheads.core.spec import Activation, HeadSpec, LayerNorm


def test_a_full_head_is_out_of_norm_of_act_of_dense() -> None:
    spec = HeadSpec(6, activation=Activation.TANH, norm=LayerNorm(1e-5), dropout=0.5)
    head = SequenceHead(spec, outputs=3).eval().requires_grad_(False)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    pooled_BD = torch.randn(4, 6)
    x = torch.tanh(pooled_BD @ head.dense.weight.T + head.dense.bias)
    x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    x = x * head.norm.weight + head.norm.bias
    expected = x @ head.out.weight.T + head.out.bias
    torch.testing.assert_close(head(pooled_BD), expected, atol=1e-5, rtol=1e-5)


def test_a_head_without_dense_has_no_activation_either() -> None:
    head = SequenceHead(HeadSpec(6, dense=False), outputs=2)
    assert [name for name, _ in head.named_parameters()] == ["out.weight", "out.bias"]
    pooled_BD = torch.randn(4, 6)
    torch.testing.assert_close(head(pooled_BD), head.out(pooled_BD))


@pytest.mark.parametrize("place", ["pooled_dropout", "dropout"])
def test_dropout_acts_in_training_only(place: str) -> None:
    head = SequenceHead(HeadSpec(64, **{place: 0.3}), outputs=2)
    pooled_BD = torch.randn(4, 64)
    assert not torch.equal(head(pooled_BD), head(pooled_BD))
    head.eval()
    assert torch.equal(head(pooled_BD), head(pooled_BD))
