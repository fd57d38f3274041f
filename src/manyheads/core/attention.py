"""Multi-head attention: projections around `attend`."""

from __future__ import annotations

from torch import Tensor, nn

from manyheads.core.attend import Scoring, attend, weights
from manyheads.core.dropout import Dropout
from manyheads.core.layout import Layout
from manyheads.core.position import rotary_angles, rotate
from manyheads.core.spec import AttentionSpec


class Attend(nn.Module):
    """Attention itself, without weights: a module so that `tap` can watch what goes in."""

    def __init__(self, spec: AttentionSpec) -> None:
        super().__init__()
        self.reach = spec.reach
        self.scale = spec.scale if spec.scale is not None else spec.head_dim**-0.5
        self.dropout = spec.dropout

    def forward(
        self, q_THK: Tensor, k_TGK: Tensor, v_TGK: Tensor, layout: Layout, bias_HLL: Tensor | None
    ) -> Tensor:
        """Return the context (T, H, K)."""
        return attend(q_THK, k_TGK, v_TGK, layout, self.scoring(bias_HLL))

    def weights(
        self, q_THK: Tensor, k_TGK: Tensor, layout: Layout, bias_HLL: Tensor | None
    ) -> list[Tensor]:
        """Return the attention weights of each sequence, (H, length, length), before dropout."""
        return weights(q_THK, k_TGK, layout, self.scoring(bias_HLL))

    def scoring(self, bias_HLL: Tensor | None) -> Scoring:
        """Return how scores become weights now: with dropout in train mode alone."""
        dropout = self.dropout if self.training else 0.0
        return Scoring(self.reach, self.scale, dropout, bias_HLL)


class Attention(nn.Module):
    """(T, D) → (T, D): every head projects the whole input (Vaswani et al. 2017, section 3.2.2).

    Queries, keys and values share one matrix product: rows of `qkv` are the H query heads, then G
    key heads, then G value heads, of K rows each.
    """

    def __init__(self, spec: AttentionSpec, width: int) -> None:
        super().__init__()
        self.spec = spec
        self.qkv = nn.Linear(
            width, (spec.heads + 2 * spec.kv_heads) * spec.head_dim, bias=spec.bias
        )
        self.attend = Attend(spec)
        self.out = nn.Linear(spec.heads * spec.head_dim, width, bias=spec.out_bias)
        self.out_dropout = Dropout(spec.out_dropout)

    def forward(
        self,
        x_TD: Tensor,
        layout: Layout,
        bias_HLL: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> Tensor:
        """Return the attended tokens (T, D), or those at `rows` alone, without the residual."""
        spec = self.spec
        heads = self.qkv(x_TD).unflatten(-1, (-1, spec.head_dim))
        q_THK, k_TGK, v_TGK = heads.split((spec.heads, spec.kv_heads, spec.kv_heads), dim=1)
        if spec.rotary is not None:
            angles = rotary_angles(spec.rotary, spec.head_dim, layout)
            q_THK, k_TGK = rotate(q_THK, *angles), rotate(k_TGK, *angles)
        context_THK = self.attend(q_THK, k_TGK, v_TGK, layout, bias_HLL)
        if rows is not None:
            context_THK = context_THK[rows]
        return self.out_dropout(self.out(context_THK.flatten(1)))
