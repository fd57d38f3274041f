"""Reading activations by name."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from manyheads.core.layout import Layout
from manyheads.core.tap import activation_names, tap
from manyheads.core.transformer import Transformer
from manyheads.errors import ManyHeadsError

from . import small

LENGTHS = [3, 1, 5]


@pytest.fixture
def model() -> Transformer:
    return small.make(small.post_norm())


@pytest.fixture
def batch() -> tuple[torch.Tensor, Layout]:
    return torch.randint(0, small.VOCABULARY, (sum(LENGTHS),)), Layout(LENGTHS)


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_hidden_states_are_what_the_blocks_return(
    model: Transformer, batch: tuple[torch.Tensor, Layout]
) -> None:
    ids_T, layout = batch
    with tap(model, "embed", "encoder.blocks.0", "encoder.blocks.1", "encoder") as values:
        out = model.encode(ids_T, layout)
    embedded = model.embed(ids_T, layout)
    first = model.encoder.blocks[0](embedded, layout)
    assert torch.equal(values["embed"], embedded)
    assert torch.equal(values["encoder.blocks.0"], first)
    assert torch.equal(values["encoder.blocks.1"], model.encoder.blocks[1](first, layout))
    assert torch.equal(values["encoder"], out)
    assert set(values) == {"embed", "encoder.blocks.0", "encoder.blocks.1", "encoder"}


def test_a_wildcard_reads_the_weights_of_every_layer(
    model: Transformer, batch: tuple[torch.Tensor, Layout]
) -> None:
    with tap(model, "encoder.blocks.*.attention.weights") as values:
        model.encode(*batch)
    assert list(values) == [f"encoder.blocks.{i}.attention.weights" for i in range(2)]
    for weights in values.values():
        assert [w.shape for w in weights] == [(small.HEADS, n, n) for n in LENGTHS]
        for weight in weights:
            torch.testing.assert_close(weight.sum(-1), torch.ones(weight.shape[:2]))


def test_the_weights_are_those_that_made_the_output(
    model: Transformer, batch: tuple[torch.Tensor, Layout]
) -> None:
    """Context from the tapped weights and the values equals the context that was used."""
    name = "encoder.blocks.0.attention"
    with tap(model, f"{name}.weights", f"{name}.qkv", f"{name}.attend") as values:
        model.encode(*batch)
    head_dim, groups = small.WIDTH // small.HEADS, 2
    v_TGK = values[f"{name}.qkv"][:, -groups * head_dim :].unflatten(-1, (groups, head_dim))
    v_THK = v_TGK.repeat_interleave(small.HEADS // groups, dim=1)
    context = [
        torch.einsum("hqt,thk->qhk", weight, v)
        for weight, v in zip(values[f"{name}.weights"], v_THK.split(LENGTHS), strict=True)
    ]
    torch.testing.assert_close(torch.cat(context), values[f"{name}.attend"], atol=1e-5, rtol=1e-5)


def test_the_result_is_the_same_with_and_without_a_tap(
    model: Transformer, batch: tuple[torch.Tensor, Layout]
) -> None:
    with tap(model, "*"):
        tapped = model.encode(*batch)
    assert torch.equal(tapped, model.encode(*batch))


def test_gradients_flow_into_tapped_hidden_states(
    model: Transformer, batch: tuple[torch.Tensor, Layout]
) -> None:
    with tap(model, "encoder.blocks.0", "encoder.blocks.1.attention.weights") as values:
        out = model.encode(*batch)
    (gradient,) = torch.autograd.grad(
        out.pow(3).sum(), values["encoder.blocks.0"], retain_graph=True
    )
    assert gradient.abs().max() > 0
    weights = values["encoder.blocks.1.attention.weights"]
    torch.cat([w.flatten() for w in weights]).pow(2).sum().backward()
    assert model.embed.tokens.weight.grad.abs().max() > 0


def test_every_listed_name_gives_a_value(
    model: Transformer, batch: tuple[torch.Tensor, Layout]
) -> None:
    names = activation_names(model)
    with tap(model, *names) as values:
        model.encode(*batch)
    assert sorted(values) == sorted(names)


def test_an_unknown_name_is_refused_with_the_nearest_one(model: Transformer) -> None:
    with (
        pytest.raises(ManyHeadsError, match=r"Did you mean 'encoder.blocks.1'\?"),
        tap(model, "embed", "encoder.block.1"),
    ):
        pytest.fail("the block must not be entered")
    assert hooks(model) == 0


def test_hooks_are_gone_afterwards(model: Transformer, batch: tuple[torch.Tensor, Layout]) -> None:
    with tap(model, "*") as values:
        assert hooks(model) > 0
        model.encode(*batch)
    assert hooks(model) == 0
    before = values["encoder"]
    model.encode(*batch)
    assert values["encoder"] is before


def test_hooks_are_gone_after_an_exception(model: Transformer) -> None:
    with pytest.raises(RuntimeError, match="inside"), tap(model, "encoder.blocks.*"):
        raise RuntimeError("inside")
    assert hooks(model) == 0
