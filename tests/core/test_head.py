"""Pooling and the sequence head."""

from __future__ import annotations

import pytest
import torch

from manyheads.core.head import SequenceHead, encode_pooled, pool
from manyheads.core.layout import Layout
from manyheads.core.spec import Activation, HeadSpec, LayerNorm, Pooling, Spec
from manyheads.errors import LayoutError

from . import small

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
@pytest.mark.parametrize("spec", [small.post_norm(), small.pre_norm()], ids=["post", "pre"])
def test_encoding_for_a_head_is_pooling_what_was_encoded(spec: Spec, pooling: Pooling) -> None:
    """The shortcut, a last layer of pooled tokens alone, changes neither values nor learning."""
    model, layout = small.make(spec), Layout(LENGTHS)
    ids_T = torch.randint(0, small.VOCABULARY, (8,))
    wanted = list(model.parameters())
    found = encode_pooled(model, ids_T, layout, None, pooling)
    expected = pool(model.encode(ids_T, layout), layout, pooling)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    upstream = torch.randn_like(found)
    for gradient, by_detour in zip(
        torch.autograd.grad((found * upstream).sum(), wanted),
        torch.autograd.grad((expected * upstream).sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(gradient, by_detour, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("pooling", Pooling)
@pytest.mark.parametrize("lengths", [[3, 1, 4], [15], [16], [9, 7], [9, 8]])
def test_batches_are_filled_up_where_nothing_is_learnt(
    monkeypatch: pytest.MonkeyPatch, pooling: Pooling, lengths: list[int]
) -> None:
    """So that few kernels are compiled; nobody sees the filler."""
    model, layout = small.make(small.post_norm()), Layout(lengths)
    ids_T = torch.randint(0, small.VOCABULARY, (layout.tokens,))
    seen: list[int] = []
    encode = model.encode

    def watched(ids_T: torch.Tensor, *rest: object, **named: object) -> torch.Tensor:
        seen.append(len(ids_T))
        return encode(ids_T, *rest, **named)

    monkeypatch.setattr(model, "encode", watched)
    with torch.inference_mode():
        found = encode_pooled(model, ids_T, layout, torch.zeros_like(ids_T), pooling)
    expected = encode_pooled(model, ids_T, layout, torch.zeros_like(ids_T), pooling)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert seen == [-(-layout.tokens // 16) * 16, layout.tokens]


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
