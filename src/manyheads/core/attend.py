"""Attention over a ragged batch: softmax(QKᵀ·scale + bias) V inside each sequence.

The formula's own choices (what may attend to what, scale, bias, dropout) are a `Scoring`.

`reference` is the formula, sequence by sequence. The other ways give the same numbers faster and
are held to it by test; `attend` picks one for the batch. Only this module may densify, inside one
call.

    by_runs   equal-length neighbours as one dense, unpadded attention (CPU, GPU)
    padded    one masked attention over a padded grid: better for many short runs
    windowed  blocks of queries against their window: linear in length
    varlen    the CUDA kernel that reads ragged batches as they are (16-bit)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from manyheads.core.dropout import drop
from manyheads.core.layout import Layout
from manyheads.core.mask import Causal, Full, Reach, Window


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


def attend(q_THK: Tensor, k_TGK: Tensor, v_TGK: Tensor, layout: Layout, scoring: Scoring) -> Tensor:
    """Return the context (T, H, K) of every token, by the fastest way for this batch.

    H is a multiple of G (grouped-query attention, Ainslie et al. 2023).
    """
    plain = scoring.bias_HLL is None and scoring.dropout == 0.0
    if q_THK.is_cuda and plain and q_THK.element_size() == 2:
        return varlen(q_THK, k_TGK, v_TGK, layout, scoring)
    way = padded if _padding_pays(layout, scoring) else by_runs
    return way(q_THK, k_TGK, v_TGK, layout, scoring)


def weights(q_THK: Tensor, k_TGK: Tensor, layout: Layout, scoring: Scoring) -> list[Tensor]:
    """Return the weights of each sequence, (H, length, length), rows summing to 1: no dropout."""
    k_THK = k_TGK.repeat_interleave(q_THK.shape[1] // k_TGK.shape[1], dim=1)
    result = []
    for start, length in zip(layout.starts, layout.lengths, strict=True):
        one = slice(start, start + length)
        scores = torch.einsum("qhk,thk->hqt", q_THK[one].float(), k_THK[one].float())
        scores = scores * scoring.scale
        if scoring.bias_HLL is not None:
            scores = scores + scoring.bias_HLL[:, :length, :length]
        position = torch.arange(length, device=q_THK.device)
        allowed = scoring.reach.allows(position[:, None], position[None, :])
        result.append(scores.masked_fill(~allowed, float("-inf")).softmax(dim=-1))
    return result


def reference(
    q_THK: Tensor, k_TGK: Tensor, v_TGK: Tensor, layout: Layout, scoring: Scoring
) -> Tensor:
    """The formula, one sequence after the other, in float32: what every other way must equal."""
    v_THK = v_TGK.repeat_interleave(q_THK.shape[1] // v_TGK.shape[1], dim=1)
    context = [
        torch.einsum("hqt,thk->qhk", drop(weight, scoring.dropout), v_one.float())
        for weight, v_one in zip(
            weights(q_THK, k_TGK, layout, scoring), v_THK.split(layout.lengths), strict=True
        )
    ]
    return torch.cat(context).to(q_THK.dtype)


def by_runs(
    q_THK: Tensor, k_TGK: Tensor, v_TGK: Tensor, layout: Layout, scoring: Scoring
) -> Tensor:
    """One dense attention for each run of equal lengths: no padding, no copies in."""
    # Split at once: a slice for each run would cost a whole gradient tensor each.
    sizes = [run.tokens for run in layout.runs]
    parts = zip(*(tensor.split(sizes) for tensor in (q_THK, k_TGK, v_TGK)), strict=True)
    context = []
    for run, part in zip(layout.runs, parts, strict=True):
        q, k, v = (tensor.unflatten(0, (run.count, run.length)).transpose(1, 2) for tensor in part)
        if _by_window(run.length, scoring):
            out = windowed(q, k, v, scoring)
        else:
            mask = _square_mask(layout, run.length, scoring)
            out = _dense(q, k, v, mask, scoring)
        context.append(out.transpose(1, 2).flatten(0, 1))
    return context[0] if len(context) == 1 else torch.cat(context)


def padded(q_THK: Tensor, k_TGK: Tensor, v_TGK: Tensor, layout: Layout, scoring: Scoring) -> Tensor:
    """One masked attention over a grid of B rows of the longest length, made and left in here."""
    B, L = len(layout), layout.longest

    def grid(tensor_T: Tensor) -> Tensor:
        rows = tensor_T.new_zeros(B * L, *tensor_T.shape[1:])
        return rows.index_copy(0, layout.slots, tensor_T).unflatten(0, (B, L)).transpose(1, 2)

    def make_mask() -> Tensor:
        position = torch.arange(L, device=layout.device)
        real = position < torch.tensor(layout.lengths, device=layout.device)[:, None]
        allowed = scoring.reach.allows(position[:, None], position[None, :])
        # A padding query that sees nothing would be 0/0, and poison the gradient of the batch.
        mask = (real[:, None, :] & allowed) | ~real[:, :, None]
        return mask[:, None]

    mask = layout.derive(("padded", scoring.reach), make_mask)
    if scoring.bias_HLL is not None:
        bias = scoring.bias_HLL[None, :, :L, :L].to(q_THK.dtype)
        mask = torch.where(mask, bias, float("-inf"))
    out = _dense(grid(q_THK), grid(k_TGK), grid(v_TGK), mask, scoring)
    return out.transpose(1, 2).flatten(0, 1)[layout.slots]


def windowed(q: Tensor, k: Tensor, v: Tensor, scoring: Scoring) -> Tensor:
    """Sliding-window attention of dense (N, H, L, K): each block of queries against its own keys.

    Time and memory grow linearly with L (Beltagy, Peters & Cohan 2020, section 3.1).
    """
    window = scoring.reach
    assert isinstance(window, Window) and scoring.bias_HLL is None
    length = q.shape[2]
    block = _block(window)
    position = torch.arange(length, device=q.device)
    context = []
    for start in range(0, length, block):
        queries = slice(start, min(start + block, length))
        keys = slice(max(0, start - window.left), min(length, queries.stop + window.right))
        mask = window.allows(position[queries, None], position[None, keys])
        context.append(_dense(q[:, :, queries], k[:, :, keys], v[:, :, keys], mask, scoring))
    return torch.cat(context, dim=2)


def varlen(q_THK: Tensor, k_TGK: Tensor, v_TGK: Tensor, layout: Layout, scoring: Scoring) -> Tensor:
    """FlashAttention over offsets (Dao et al. 2022): CUDA, 16-bit, no densifying at all."""
    from torch.nn.attention.varlen import varlen_attn

    reach = scoring.reach
    window = {Full: (-1, -1), Causal: (-1, 0)}.get(type(reach))
    if isinstance(reach, Window):
        window = (reach.left, reach.right)
    assert window is not None
    offsets = layout.derive("int32 offsets", lambda: layout.offsets.int())
    longest = layout.longest
    context = varlen_attn(
        q_THK.contiguous(),
        k_TGK.contiguous(),
        v_TGK.contiguous(),
        offsets,
        offsets,
        longest,
        longest,
        scale=scoring.scale,
        window_size=window,
        enable_gqa=q_THK.shape[1] != k_TGK.shape[1],
    )
    assert isinstance(context, Tensor)
    return context


def _dense(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scoring: Scoring) -> Tensor:
    """Attention of dense (N, H, L, K) tensors under a bool or additive mask."""
    groups = q.shape[1] // k.shape[1]
    scale, dropout = scoring.scale, scoring.dropout
    if dropout == 0.0 or q.is_cuda:
        return scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=dropout, scale=scale, enable_gqa=groups > 1
        )
    # torch has no fused attention with dropout on CPU, and its own plain one is slower than this.
    if groups > 1:
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
    scores = (q * scale) @ k.mT
    if mask is not None:
        scores = (
            scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
        )
    return drop(scores.softmax(dim=-1), dropout) @ v


def _square_mask(layout: Layout, length: int, scoring: Scoring) -> Tensor | None:
    """The mask that all sequences of one length share, or None where they need none."""
    reach = scoring.reach
    needed = not reach.covers(length, length)

    def make() -> Tensor:
        position = torch.arange(length, device=layout.device)
        return reach.allows(position[:, None], position[None, :])

    mask = layout.derive((reach, length), make) if needed else None
    if scoring.bias_HLL is None:
        return mask
    bias = scoring.bias_HLL[:, :length, :length]
    return bias if mask is None else bias.masked_fill(~mask, float("-inf"))


def _padding_pays(layout: Layout, scoring: Scoring) -> bool:
    """Whether one call over a padded grid is cheaper than one small call for each run.

    Costs are in query-key pairs, fitted to measurements on CPU: 64 for each token beside its pairs,
    as much again for its way into the grid and back, and a fixed price for each call, which is
    higher where dropout keeps the attention from being fused.
    """
    if _by_window(layout.longest, scoring):
        return False
    token, call = 64, 1_500 if scoring.dropout == 0.0 else 8_000
    in_runs = sum(run.tokens * (run.length + token) + call for run in layout.runs)
    in_grid = len(layout) * layout.longest * (layout.longest + 2 * token) + call
    return in_grid < in_runs


def _block(window: Window) -> int:
    """Queries in one block of windowed attention: as many as the window has keys, at least 64."""
    return max(64, window.left + window.right)


def _by_window(length: int, scoring: Scoring) -> bool:
    """Whether a sequence has a window, and is long enough for blocks to save what they cost."""
    window = scoring.reach
    if not isinstance(window, Window) or scoring.bias_HLL is not None:
        return False
    return length > 2 * _block(window)
