"""What single layers of an encoder say, not only its last."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from manyheads.core.layout import Layout
from manyheads.core.transformer import Transformer


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
