"""Attention of dense tensors: the formula's own choices, and one call that computes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from manyheads.core.dropout import drop
from manyheads.core.mask import Blocks, GlobalWindow, Reach

_LONGEST_PLAIN = 1024  # keys whose scores are held for the gradient


@dataclass(frozen=True, eq=False)
class Scoring:
    """How products of queries and keys become weights: softmax(QKᵀ·scale + bias) where allowed.

    `reach` says what may attend to what; `bias_HLL` is added to the scaled products at (query
    position, key position); `dropout` acts on the weights.
    """

    reach: Reach
    scale: float
    dropout: float = 0.0
    bias_HLL: Tensor | None = None

    def over(self, length: int, global_tokens: int | None) -> Scoring:
        """Return the scoring of a sequence, which may have a number of global tokens of its own."""
        match self.reach:
            case GlobalWindow() if global_tokens is not None:
                return replace(self, reach=replace(self.reach, global_tokens=global_tokens))
            case Blocks():
                reach = self.reach.over(length)
                # The published models drop no weights where they attend by blocks.
                dropout = 0.0 if isinstance(reach, Blocks) else self.dropout
                return replace(self, reach=reach, dropout=dropout)
            case _:
                return self


def dense(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    scoring: Scoring,
    causal: bool = False,
) -> Tensor:
    """Attention of dense (N, H, L, K) tensors under a bool or additive mask, or a causal one."""
    groups = q.shape[1] // k.shape[1]
    scale, dropout = scoring.scale, scoring.dropout
    if groups > 1 and q.shape[2] == 1 and (mask is None or mask.dtype == torch.bool):
        # The heads that share keys are as good as so many queries at one place.
        one = dense(q.reshape(len(q), -1, groups, q.shape[3]), k, v, mask, scoring)
        return one.reshape(q.shape)
    if q.is_cuda or (dropout == 0.0 and not _learns_in_halves(q, k)):
        return scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=mask,
            dropout_p=dropout,
            is_causal=causal,
            scale=scale,
            enable_gqa=groups > 1,
        )
    # torch has no fused attention with dropout on CPU, and its own plain one is slower than this.
    # Of the fused one, the gradient in bfloat16 takes several times as long.
    if groups > 1:
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
    scores = (q * scale) @ k.mT
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril()
    if mask is not None:
        scores = hide(scores, mask)
    return drop(scores.softmax(dim=-1), dropout) @ v


def _learns_in_halves(q: Tensor, k: Tensor) -> bool:
    """Whether a gradient in 16 bits will be asked for, and the scores are not too many to hold."""
    learns = q.requires_grad and torch.is_grad_enabled()
    return learns and q.element_size() == 2 and k.shape[2] <= _LONGEST_PLAIN


def hide(scores: Tensor, mask: Tensor) -> Tensor:
    """Return scores that are -∞ where a bool mask is False, or with an additive mask added."""
    return scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
