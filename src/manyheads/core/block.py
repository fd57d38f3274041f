"""One layer of a Transformer.

x ─┬─ before ─ attention ─ after ─ + ─ residual ─┬─ before ─ feedforward ─ after ─ + ─ residual
   └───────────────────────────────┘             └─────────────────────────────────┘

A decoder that reads an encoder's output has a third such part between the two: cross-attention.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from manyheads.core.attention import Attention, CrossAttention
from manyheads.core.cache import KeyValues
from manyheads.core.feedforward import make_feedforward
from manyheads.core.layout import Layout
from manyheads.core.norm import make_norm
from manyheads.core.spec import BlockSpec, NormSlots


class Norms(nn.Module):
    """The three places around a sub-layer where a norm may stand."""

    def __init__(self, slots: NormSlots, width: int) -> None:
        super().__init__()
        self.before = make_norm(slots.before, width)
        self.after = make_norm(slots.after, width)
        self.residual = make_norm(slots.residual, width)

    def forward(
        self, x_TD: Tensor, sublayer: Callable[[Tensor], Tensor], rows: Tensor | None = None
    ) -> Tensor:
        """Return residual(x + after(sublayer(before(x)))): no weight on the skip.

        With `rows`, the sub-layer returns only these tokens, and so does this.
        """
        skip_TD = x_TD if rows is None else x_TD[rows]
        return self.residual(skip_TD + self.after(sublayer(self.before(x_TD))))


class Block(nn.Module):
    """Attention, then feed-forward, each inside its residual: (T, D) → (T, D)."""

    def __init__(self, spec: BlockSpec, width: int) -> None:
        super().__init__()
        self.attention = Attention(spec.attention, width)
        self.attention_norms = Norms(spec.attention_norms, width)
        self.cross = CrossAttention(spec.cross, width) if spec.cross else None
        self.cross_norms = Norms(spec.cross_norms, width) if spec.cross else None
        self.feedforward = make_feedforward(spec.feedforward, width)
        self.feedforward_norms = Norms(spec.feedforward_norms, width)

    def forward(
        self,
        x_TD: Tensor,
        layout: Layout,
        bias_HLL: Tensor | None = None,
        rows: Tensor | None = None,
        past: KeyValues | None = None,
        read: Callable[[CrossAttention, Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Return the hidden states after this layer: (T, D), or of the tokens at `rows` alone.

        `past` holds what came before in each sequence; `read` lets cross-attention read a memory.
        """
        x_TD = self.attention_norms(
            x_TD, lambda x: self.attention(x, layout, bias_HLL, rows, past), rows
        )
        if self.cross is not None and self.cross_norms is not None:
            assert read is not None
            cross = self.cross
            x_TD = self.cross_norms(x_TD, lambda x: read(cross, x))
        return self.feedforward_norms(x_TD, self.feedforward)
