"""What single layers of an encoder say, not only its last."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from torch import Tensor, nn

from manyheads.core.layout import Layout
from manyheads.core.transformer import Transformer

Part = TypeVar("Part", bound=nn.Module)


def layer_outputs(
    transformer: Transformer,
    ids_T: Tensor,
    layout: Layout,
    segments_T: Tensor | None,
    layers: Sequence[int],
) -> list[Tensor]:
    """Return the hidden states (T, D) after each of these layers, in their order.

    Layers count from 0, or from -1 backwards; none behind the highest of them is computed. Behind
    the last one stands the norm at the end of the stack, where there is one.
    """
    encoder = transformer.encoder
    assert encoder is not None, "this model has no encoder"
    count = len(encoder.blocks)
    wanted = [layer % count for layer in layers]
    hidden_TD, bias_HLL = transformer.embed(ids_T, layout, segments_T), encoder.bias(layout.longest)
    found: dict[int, Tensor] = {}
    for number, block in enumerate(encoder.blocks):
        if number > max(wanted):
            break
        hidden_TD = block(hidden_TD, layout, bias_HLL)
        found[number] = encoder.norm(hidden_TD) if number == count - 1 else hidden_TD
    return [found[number] for number in wanted]


def vectors_of(
    transformer: Transformer,
    ids_T: Tensor,
    layout: Layout,
    segments_T: Tensor | None,
    rows: Mapping[int, Tensor],
) -> dict[int, Tensor]:
    """Return the vectors (N, D) of the tokens `rows[n]` (N) after the first n blocks, by n.

    All in one pass: no block is computed twice, none behind the deepest one that is asked for, and
    that one for its rows alone.
    """
    encoder = transformer.encoder
    assert encoder is not None, "this model has no encoder"
    deepest, count = max(rows), len(encoder.blocks)
    hidden_TD, bias_HLL = transformer.embed(ids_T, layout, segments_T), encoder.bias(layout.longest)
    found: dict[int, Tensor] = {}
    for number, block in enumerate(encoder.blocks[:deepest], 1):
        is_last = number == deepest
        hidden_TD = block(hidden_TD, layout, bias_HLL, rows[deepest] if is_last else None)
        if number in rows:
            vectors_ND = hidden_TD if is_last else hidden_TD[rows[number]]
            found[number] = encoder.norm(vectors_ND) if number == count else vectors_ND
    return found


def lower_part(transformer: Transformer, blocks: int) -> Transformer:
    """Return the model of the first `blocks` of an encoder, which shares their weights.

    All blocks are the model itself.
    """
    encoder, stack = transformer.encoder, transformer.spec.encoder
    assert encoder is not None and stack is not None, "this model has no encoder"
    if blocks == len(encoder.blocks):
        return transformer
    part, below = _sharing(transformer), _sharing(encoder)
    below.blocks = nn.ModuleList(encoder.blocks[:blocks])
    part.encoder = below
    part.spec = replace(transformer.spec, encoder=replace(stack, blocks=stack.blocks[:blocks]))
    return part


def _sharing(module: Part) -> Part:
    """Return a module of its own with the same modules in it."""
    copied = copy.copy(module)
    copied._modules = dict(module._modules)
    return copied
