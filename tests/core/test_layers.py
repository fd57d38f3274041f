"""What comes out of single layers, all in one pass, and models that share their first ones."""

from __future__ import annotations

import pytest
import torch
from tests.core import small

from manyheads.core.initialize import initialize
from manyheads.core.layers import layer_outputs, lower_part, vectors_of
from manyheads.core.layout import Layout
from manyheads.core.spec import Spec
from manyheads.core.transformer import Transformer

IDS, LAYOUT = Layout.flatten([[3, 5, 7, 9], [11], [2, 4, 6]])


def model_of(spec: Spec) -> Transformer:
    model = Transformer(spec)
    initialize(model, deviation=0.3)
    return model.eval()


@pytest.mark.parametrize("spec", [small.post_norm(), small.pre_norm()], ids=["post", "pre"])
def test_rows_of_several_layers_are_those_of_all_tokens(spec: Spec) -> None:
    model = model_of(spec)
    top, rows = len(model.encoder.blocks), {1: torch.tensor([1, 6]), 2: torch.tensor([0, 4, 5])}
    rows = {1: rows[1], top: rows[2]}
    first_TD, last_TD = layer_outputs(model, IDS, LAYOUT, None, (0, -1))
    found = vectors_of(model, IDS, LAYOUT, None, rows)
    torch.testing.assert_close(found[1], first_TD[rows[1]])
    torch.testing.assert_close(found[top], last_TD[rows[top]])
    torch.testing.assert_close(found[top], model.encode(IDS, LAYOUT, rows=rows[top]))


def test_no_block_is_computed_twice_and_none_in_vain() -> None:
    model, calls = model_of(small.pre_norm()), []
    for number, block in enumerate(model.encoder.blocks):
        block.register_forward_hook(lambda *_, number=number: calls.append(number))
    vectors_of(model, IDS, LAYOUT, None, {1: torch.tensor([0]), 2: torch.tensor([3])})
    assert calls == [0, 1]


def test_a_lower_part_shares_its_weights_and_leaves_the_model_whole() -> None:
    model = model_of(small.post_norm())
    part = lower_part(model, 1)
    assert lower_part(model, 2) is model
    assert len(part.encoder.blocks) == len(part.spec.encoder.blocks) == 1
    assert len(model.encoder.blocks) == len(model.spec.encoder.blocks) == 2
    torch.testing.assert_close(
        part.encode(IDS, LAYOUT), layer_outputs(model, IDS, LAYOUT, None, [0])[0]
    )
    part.encode(IDS, LAYOUT).sum().backward()
    assert model.encoder.blocks[0].feedforward.up.weight.grad is not None
    assert model.encoder.blocks[1].feedforward.up.weight.grad is None
