"""Rounded weights: close where rows are few, exact where they are many, the model untouched."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import manyheads as mh
from manyheads.core.layout import Layout
from manyheads.core.packed import PackedLinear, pack
from manyheads.core.rounded import EightBits, FourBits, rounded
from manyheads.core.transformer import Transformer

FEW, MANY = 3, 9


def linear(bias: bool = True) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(64, 48, bias=bias).requires_grad_(False)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("kind", "limit"), [(FourBits, 0.1), (EightBits, 0.012)])
def test_few_rows_are_close(kind: type[FourBits | EightBits], limit: float, bias: bool):
    layer, x_TD = linear(bias), torch.randn(FEW, 64)
    exact_TF = layer(x_TD)
    error = (kind(layer)(x_TD) - exact_TF).norm() / exact_TF.norm()
    assert 0.0 < float(error) < limit


@pytest.mark.parametrize("kind", [FourBits, EightBits])
def test_many_rows_are_exact(kind: type[FourBits | EightBits]):
    layer, x_TD = linear(), torch.randn(MANY, 64)
    assert torch.equal(kind(layer)(x_TD), layer(x_TD))


def test_weights_of_sixteen_numbers_a_group_are_kept():
    """What was four bits in a file is so again: only the products are of fewer digits."""
    layer = linear(bias=False)
    layer.weight.copy_((torch.randint(0, 16, (48, 64)) - 5) * 0.25)
    layer.weight[:, ::32], layer.weight[:, 1::32] = -5 * 0.25, 10 * 0.25
    x_TD = torch.randint(-4, 5, (FEW, 64)).float()
    assert torch.allclose(FourBits(layer)(x_TD), layer(x_TD), rtol=2**-8)


def test_constant_weights_are_kept():
    layer = linear(bias=False)
    layer.weight.fill_(0.5)
    x_TD = torch.ones(1, 64)
    assert FourBits(layer)(x_TD).tolist() == [[32.0] * 48]
    layer.weight.zero_()
    assert FourBits(layer)(x_TD).tolist() == EightBits(layer)(x_TD).tolist() == [[0.0] * 48]


def test_what_is_fused_into_a_packed_layer_is_done_too():
    packed = PackedLinear(linear())
    plain_TF = FourBits(packed)(x_TD := torch.randn(FEW, 64))
    assert packed.fuse(nn.ReLU())
    assert torch.equal(FourBits(packed)(x_TD), plain_TF.relu())


MODELS = {
    "decoder": mh.ScratchDecoder(layers=2, width=64, heads=2, max_tokens=32),
    "encoder-decoder": mh.ScratchSeq2Seq(layers=2, width=64, heads=2, max_tokens=32),
}


def model_of(name: str) -> Transformer:
    torch.manual_seed(1)
    columns = {"text": ["the food was great", "we had it"], "target": ["it was", "a table there"]}
    return MODELS[name].build_for(columns).transformer.eval()


def logits(model: Transformer, ids: list[int]) -> torch.Tensor:
    layout = Layout([len(ids)])
    memory = None
    if model.encoder is not None:
        source = Layout([7])
        memory = model.remember(model.encode(torch.arange(7) + 4, source), source)
    return model.logits(model.decode(torch.tensor(ids), layout, memory))


@pytest.mark.parametrize("packs", [False, True])
@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_a_copy_answers_nearly_the_same(name: str, packs: bool):
    model = model_of(name)
    before_TV = logits(model, [5, 6])
    if packs:
        pack(model)
    copied = rounded(model)
    near_TV = logits(copied, [5, 6])
    assert not torch.equal(near_TV, before_TV)
    assert torch.nn.functional.cosine_similarity(near_TV, before_TV).min() > 0.98
    assert torch.allclose(logits(model, [5, 6]), before_TV, atol=1e-5), "the model has changed"
    many = list(range(4, 14))
    assert torch.allclose(logits(copied, many)[:-1], logits(model, many)[:-1], atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_a_copy_shares_what_is_not_rounded(name: str):
    model = model_of(name)
    own = {id(one) for one in model.parameters()}
    copied = rounded(model)
    assert {id(one) for one in copied.parameters()} <= own
    assert copied.encoder is model.encoder
    assert all(one.requires_grad for one in model.parameters())
