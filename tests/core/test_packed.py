"""Packed linear layers: the same numbers, and no silent loss of gradients."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from manyheads.core.feedforward import make_feedforward
from manyheads.core.layout import Layout
from manyheads.core.packed import PackedLinear, halve, pack
from manyheads.core.spec import Activation, FeedForwardSpec, OutputSpec, Spec
from manyheads.errors import ConfigError, TrainingError

from . import small

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="torch was built without oneDNN"
)
SPECS = {"post-norm": small.post_norm(), "pre-norm": small.pre_norm()}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_packed_model_computes_the_same(spec: Spec) -> None:
    model = small.make(spec)
    batch = (torch.randint(0, small.VOCABULARY, (12,)), Layout([4, 1, 7]))
    with torch.no_grad():
        expected = model.encode(*batch)
        linears = [name for name, m in model.named_modules() if isinstance(m, nn.Linear)]
        assert pack(model) == linears
        torch.testing.assert_close(model.encode(*batch), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tied", [True, False])
def test_a_packed_output_foretells_the_same(tied: bool) -> None:
    model = small.make(replace(small.pre_norm(), output=OutputSpec(tied=tied, bias=True)))
    batch = (torch.randn(12, small.WIDTH), torch.randint(0, small.VOCABULARY, (12,)))
    expected, hits = model.token_losses(*batch)
    pack(model)
    losses, packed_hits = model.token_losses(*batch)
    torch.testing.assert_close(losses, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(packed_hits, hits)


@pytest.mark.parametrize("tokens", [1, 3, 700])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("activation", Activation)
def test_every_activation_is_fused_rightly(
    activation: Activation, gated: bool, bias: bool, tokens: int
) -> None:
    layer = make_feedforward(FeedForwardSpec(24, activation, gated, bias), 16)
    small.perturb(layer)
    layer.eval()
    x_TD = torch.randn(tokens, 16) * 3
    with torch.no_grad():
        expected = layer(x_TD)
        pack(layer)
        torch.testing.assert_close(layer(x_TD), expected, atol=1e-5, rtol=1e-5)
    assert isinstance(layer.up, PackedLinear)
    assert isinstance(layer.activation, nn.Identity) is not gated


def test_the_state_is_that_of_the_plain_model() -> None:
    model = small.make(small.post_norm())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pack(model)
    after = model.state_dict()
    assert sorted(after) == sorted(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_gradient_through_a_packed_layer_is_refused() -> None:
    layer = PackedLinear(nn.Linear(4, 3))
    with pytest.raises(TrainingError, match="no gradient flows through a packed layer"):
        layer(torch.randn(2, 4, requires_grad=True))
    with torch.no_grad():
        layer(torch.randn(2, 4, requires_grad=True))


def test_a_packed_model_no_longer_asks_for_gradients() -> None:
    model = small.make(small.post_norm())
    pack(model)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    model.encode(torch.tensor([1, 2]), Layout([2]))


def test_a_model_in_training_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"call model.eval\(\) first"):
        pack(small.make(small.post_norm()).train())


def test_other_precisions_stay_as_they_are() -> None:
    model = small.make(small.post_norm()).double()
    assert pack(model) == []
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_what_is_not_packed_at_all_is_not_copied() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8)).bfloat16().eval()
    before = [parameter.data_ptr() for parameter in model.parameters()]
    assert pack(model) == []
    assert [parameter.data_ptr() for parameter in model.parameters()] == before


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_packed_layer_can_be_copied_and_sent_to_another_process(
    copied: Callable[[nn.Module], nn.Module],
) -> None:
    layer = make_feedforward(FeedForwardSpec(24, Activation.GELU, False, True), 16).eval()
    pack(layer)
    x_TD = torch.randn(5, 16)
    twin = copied(layer)
    with torch.no_grad():
        assert torch.equal(twin(x_TD), layer(x_TD))


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_halved_products_are_rounded_and_nothing_else(
    spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manyheads.core.packed.multiplies_bfloat16", lambda: True)
    model = small.make(spec)
    batch = (torch.randint(0, small.VOCABULARY, (12,)), Layout([4, 1, 7]))
    pack(model)
    with torch.no_grad():
        expected = model.encode(*batch)
        before = {name: one.clone() for name, one in model.state_dict().items()}
        halve(model)
        halved = model.encode(*batch)
        again = copy.deepcopy(model).encode(*batch)
    assert halved.dtype == torch.float32 and torch.equal(halved, again)
    assert not torch.equal(halved, expected)
    assert (halved - expected).norm() < 0.03 * expected.norm()
    for name, tensor in model.state_dict().items():
        own = name.rpartition(".")[0]
        kept = isinstance(model.get_submodule(own), PackedLinear)
        rounded = before[name].bfloat16().float() if kept else before[name]
        assert tensor.dtype == torch.float32 and torch.equal(tensor, rounded), name


def test_what_cannot_be_halved_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small.make(small.pre_norm())
    with pytest.raises(ConfigError, match="no layer there"):
        halve(model)
    pack(model)
    monkeypatch.setattr("manyheads.core.packed.multiplies_bfloat16", lambda: False)
    with pytest.raises(ConfigError, match="only be slower"):
        halve(model)
