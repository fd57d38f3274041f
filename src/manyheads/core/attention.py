"""Multi-head attention: projections around `attend`, to the sequence itself or to another."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from manyheads.core.attend import attend, over_grid, weights
from manyheads.core.cache import KeyValues, Memory
from manyheads.core.dense import Scoring
from manyheads.core.dropout import Dropout
from manyheads.core.layout import Layout
from manyheads.core.mask import Blocks, Full, GlobalWindow
from manyheads.core.norm import make_norm
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
        self,
        q_THK: Tensor,
        k_SGK: Tensor,
        v_SGK: Tensor,
        queries: Layout,
        keys: Layout,
        bias_HLL: Tensor | None,
    ) -> Tensor:
        """Return the context (T, H, K)."""
        return attend(q_THK, k_SGK, v_SGK, queries, keys, self.scoring(bias_HLL))

    def weights(
        self, q_THK: Tensor, k_SGK: Tensor, queries: Layout, keys: Layout, bias_HLL: Tensor | None
    ) -> list[Tensor]:
        """Return the attention weights of each sequence, (H, queries, keys), before dropout."""
        return weights(q_THK, k_SGK, queries, keys, self.scoring(bias_HLL))

    def scoring(self, bias_HLL: Tensor | None) -> Scoring:
        """Return how scores become weights now: dropout and random blocks in train mode alone."""
        reach, dropout = self.reach, self.dropout
        if not self.training:
            reach, dropout = reach.at_rest() if isinstance(reach, Blocks) else reach, 0.0
        return Scoring(reach, self.scale, dropout, bias_HLL)


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
        self.q_norm = make_norm(spec.qk_norm, spec.head_dim)
        self.k_norm = make_norm(spec.qk_norm, spec.head_dim)
        self.attend = Attend(spec)
        self.global_heads = GlobalHeads(spec, width) if spec.global_projections else None
        self.out = nn.Linear(spec.heads * spec.head_dim, width, bias=spec.out_bias)
        self.out_dropout = Dropout(spec.out_dropout)

    def forward(
        self,
        x_TD: Tensor,
        layout: Layout,
        bias_HLL: Tensor | None = None,
        rows: Tensor | None = None,
        past: KeyValues | None = None,
    ) -> Tensor:
        """Return the attended tokens (T, D), or those at `rows` alone, without the residual.

        With `past`, tokens also attend to what it holds of their sequences, and are added to it.
        """
        spec = self.spec
        heads = self.qkv(x_TD).unflatten(-1, (-1, spec.head_dim))
        q_THK, k_TGK, v_TGK = heads.split((spec.heads, spec.kv_heads, spec.kv_heads), dim=1)
        q_THK, k_TGK = self.q_norm(q_THK), self.k_norm(k_TGK)
        if spec.rotary is not None:
            normed = spec.qk_norm is not None
            both = torch.cat((q_THK, k_TGK), dim=1) if normed else heads[:, : -spec.kv_heads]
            turned = rotate(both, *rotary_angles(spec.rotary, spec.head_dim, layout))
            q_THK, k_TGK = turned.split((spec.heads, spec.kv_heads), dim=1)
        if past is not None:
            past.append(k_TGK, v_TGK, layout)
        if past is None or layout.keys is layout:
            context_THK = self.attend(q_THK, k_TGK, v_TGK, layout, layout, bias_HLL)
        else:
            scoring = self.attend.scoring(bias_HLL)
            context_THK = over_grid(q_THK, *past.upto(layout.keys), layout, layout.keys, scoring)
        if self.global_heads is not None:
            context_THK = self.global_heads(x_TD, layout, context_THK)
        if rows is not None:
            context_THK = context_THK[rows]
        return self.out_dropout(self.out(context_THK.flatten(1)))


class GlobalHeads(nn.Module):
    """Global tokens attend to all others by projections of their own (Longformer).

    Beltagy, Peters & Cohan 2020, section 3.1, "Linear Projections for Global Attention". What is
    not global reads the global tokens as it reads any other.
    """

    def __init__(self, spec: AttentionSpec, width: int) -> None:
        super().__init__()
        assert isinstance(spec.reach, GlobalWindow)
        self.spec = spec
        self.global_tokens = spec.reach.global_tokens
        self.q = nn.Linear(width, spec.heads * spec.head_dim, bias=spec.bias)
        self.kv = nn.Linear(width, 2 * spec.kv_heads * spec.head_dim, bias=spec.bias)
        self.attend = Attend(replace(spec, reach=Full()))

    def forward(self, x_TD: Tensor, layout: Layout, context_THK: Tensor) -> Tensor:
        """Return the context (T, H, K) of all tokens, that of the global ones replaced."""
        asking, rows, are_global = layout.derive(
            ("global rows", self.global_tokens), lambda: self._rows(layout)
        )
        q_RHK = self.q(x_TD[rows]).unflatten(-1, (-1, self.spec.head_dim))
        k_TGK, v_TGK = self.kv(x_TD).unflatten(-1, (-1, self.spec.head_dim)).chunk(2, dim=1)
        context_RHK = self.attend(q_RHK, k_TGK, v_TGK, asking, layout, None)
        return context_THK.index_copy(0, rows[are_global], context_RHK[are_global])

    def counts(self, layout: Layout) -> tuple[int, ...]:
        """Return how many tokens of each sequence are global."""
        usual = (min(self.global_tokens, length) for length in layout.lengths)
        return tuple(usual) if layout.global_tokens is None else layout.global_tokens

    def _rows(self, layout: Layout) -> tuple[Layout, Tensor, Tensor]:
        """The layout of the tokens that ask, where they lie, and which of them are global.

        A sequence without global tokens asks once, in vain, because no sequence can be empty.
        """
        counts = self.counts(layout)
        asking = Layout((max(count, 1) for count in counts), layout.device)
        rows = layout.offsets[asking.owners] + asking.positions
        are_global = asking.positions < asking.offsets.new_tensor(counts)[asking.owners]
        return asking, rows, are_global.nonzero()[:, 0]


class CrossAttention(nn.Module):
    """Tokens of one sequence attend to those of another, (T, D) × (S, D) → (T, D).

    Queries come from the decoder, keys and values from the encoder's output (Vaswani et al. 2017,
    section 3.2.3). Rows of `kv` are G key heads, then G value heads.
    """

    def __init__(self, spec: AttentionSpec, width: int) -> None:
        super().__init__()
        self.spec = spec
        self.q = nn.Linear(width, spec.heads * spec.head_dim, bias=spec.bias)
        self.kv = nn.Linear(width, 2 * spec.kv_heads * spec.head_dim, bias=spec.bias)
        self.attend = Attend(spec)
        self.out = nn.Linear(spec.heads * spec.head_dim, width, bias=spec.out_bias)
        self.out_dropout = Dropout(spec.out_dropout)

    def remember(self, memory_SD: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values (S, G, K) of the encoder's output."""
        keys, values = self.kv(memory_SD).unflatten(-1, (-1, self.spec.head_dim)).chunk(2, dim=1)
        return keys, values

    def forward(self, x_TD: Tensor, queries: Layout, memory: Memory, layer: int) -> Tensor:
        """Return the attended tokens (T, D), without the residual.

        `queries` says how many tokens, of whatever sequences, read each source of the memory.
        """
        q_THK = self.q(x_TD).unflatten(-1, (-1, self.spec.head_dim))
        if memory.lasts:
            scoring = self.attend.scoring(None)
            context_THK = over_grid(q_THK, *memory.layers[layer], queries, memory.layout, scoring)
        else:
            context_THK = self.attend(q_THK, *memory.layers[layer], queries, memory.layout, None)
        return self.out_dropout(self.out(context_THK.flatten(1)))
