"""Attention over a ragged batch: softmax(QKᵀ·scale + bias) V inside each sequence.

The formula's own choices (what may attend to what, scale, bias, dropout) are a `Scoring`. T queries
lie as one layout says and S keys as another; in self-attention the two are the same. Where a
sequence has fewer queries than keys, its last query stands at its last key.

`reference` is the formula, sequence by sequence. The other ways give the same numbers faster and
are held to it by test; `attend` picks one for the batch. Only this module may densify, inside one
call.

    by_runs   equal-length neighbours as one dense, unpadded attention (CPU, GPU)
    padded    one masked attention over a padded grid: better for many short runs
    windowed  blocks of queries against their window: linear in length
    varlen    the CUDA kernel that reads ragged batches as they are (16-bit)
    over_grid one masked attention to keys that a cache holds as a padded grid already
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

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


def attend(
    q_THK: Tensor, k_SGK: Tensor, v_SGK: Tensor, queries: Layout, keys: Layout, scoring: Scoring
) -> Tensor:
    """Return the context (T, H, K) of every token, by the fastest way for this batch.

    H is a multiple of G (grouped-query attention, Ainslie et al. 2023).
    """
    plain = scoring.bias_HLL is None and scoring.dropout == 0.0
    if q_THK.is_cuda and plain and q_THK.element_size() == 2:
        return varlen(q_THK, k_SGK, v_SGK, queries, keys, scoring)
    way = padded if _padding_pays(queries, keys, scoring) else by_runs
    return way(q_THK, k_SGK, v_SGK, queries, keys, scoring)


def weights(
    q_THK: Tensor, k_SGK: Tensor, queries: Layout, keys: Layout, scoring: Scoring
) -> list[Tensor]:
    """Return the weights of each sequence, (H, queries, keys), rows summing to 1: no dropout."""
    k_SHK = k_SGK.repeat_interleave(q_THK.shape[1] // k_SGK.shape[1], dim=1)
    result = []
    for q, k in zip(q_THK.split(queries.lengths), k_SHK.split(keys.lengths), strict=True):
        first = len(k) - len(q)
        scores = torch.einsum("qhk,thk->hqt", q.float(), k.float()) * scoring.scale
        if scoring.bias_HLL is not None:
            scores = scores + scoring.bias_HLL[:, first : len(k), : len(k)]
        query = torch.arange(first, len(k), device=k.device)
        key = torch.arange(len(k), device=k.device)
        allowed = scoring.reach.allows(query[:, None], key[None, :])
        result.append(scores.masked_fill(~allowed, float("-inf")).softmax(dim=-1))
    return result


def reference(
    q_THK: Tensor, k_SGK: Tensor, v_SGK: Tensor, queries: Layout, keys: Layout, scoring: Scoring
) -> Tensor:
    """The formula, one sequence after the other, in float32: what every other way must equal."""
    v_SHK = v_SGK.repeat_interleave(q_THK.shape[1] // v_SGK.shape[1], dim=1)
    context = [
        torch.einsum("hqt,thk->qhk", drop(weight, scoring.dropout), v_one.float())
        for weight, v_one in zip(
            weights(q_THK, k_SGK, queries, keys, scoring), v_SHK.split(keys.lengths), strict=True
        )
    ]
    return torch.cat(context).to(q_THK.dtype)


def by_runs(
    q_THK: Tensor, k_SGK: Tensor, v_SGK: Tensor, queries: Layout, keys: Layout, scoring: Scoring
) -> Tensor:
    """One dense attention for each run of equal lengths: no padding, no copies in."""
    runs = _runs(queries, keys)
    # Split at once: a slice for each run would cost a whole gradient tensor each.
    q_parts = q_THK.split([count * length for count, length, _ in runs])
    sizes = [count * length for count, _, length in runs]
    context = []
    for run, q_part, k_part, v_part in zip(
        runs, q_parts, k_SGK.split(sizes), v_SGK.split(sizes), strict=True
    ):
        count, of_queries, of_keys = run
        q = q_part.unflatten(0, (count, of_queries)).transpose(1, 2)
        k = k_part.unflatten(0, (count, of_keys)).transpose(1, 2)
        v = v_part.unflatten(0, (count, of_keys)).transpose(1, 2)
        if of_queries == of_keys and _by_window(of_keys, scoring):
            out = windowed(q, k, v, scoring)
        elif of_queries == of_keys and _is_just_causal(scoring):
            out = _dense(q, k, v, None, scoring, causal=True)
        else:
            out = _dense(q, k, v, _mask_of_run(keys, of_queries, of_keys, scoring), scoring)
        context.append(out.transpose(1, 2).flatten(0, 1))
    return context[0] if len(context) == 1 else torch.cat(context)


def padded(
    q_THK: Tensor, k_SGK: Tensor, v_SGK: Tensor, queries: Layout, keys: Layout, scoring: Scoring
) -> Tensor:
    """One masked attention over a grid of B rows of the longest length, made and left in here."""
    return over_grid(q_THK, to_grid(k_SGK, keys), to_grid(v_SGK, keys), queries, keys, scoring)


def to_grid(x_TGK: Tensor, layout: Layout) -> Tensor:
    """Lay ragged tokens out as (B, G, L, K), zeros behind those that are shorter than L."""
    B, L = len(layout), layout.longest
    rows = x_TGK.new_zeros(B * L, *x_TGK.shape[1:])
    return rows.index_copy(0, layout.slots, x_TGK).unflatten(0, (B, L)).transpose(1, 2)


def over_grid(
    q_THK: Tensor, k_BGLK: Tensor, v_BGLK: Tensor, queries: Layout, keys: Layout, scoring: Scoring
) -> Tensor:
    """Attention of ragged queries to keys and values that lie in a padded grid already."""
    mask = queries.derive(
        ("grid", keys.lengths, scoring.reach), lambda: _grid_mask(queries, keys, scoring.reach)
    )
    if scoring.bias_HLL is not None:
        mask = _grid_bias(queries, keys, mask, scoring.bias_HLL.to(q_THK.dtype))
    even = len(set(queries.lengths)) == 1
    if even:
        q = q_THK.unflatten(0, (len(queries), queries.longest)).transpose(1, 2)
    else:
        q = to_grid(q_THK, queries)
    out = _dense(q, k_BGLK, v_BGLK, mask, scoring).transpose(1, 2).flatten(0, 1)
    return out if even else out[queries.slots]


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


def varlen(
    q_THK: Tensor, k_SGK: Tensor, v_SGK: Tensor, queries: Layout, keys: Layout, scoring: Scoring
) -> Tensor:
    """FlashAttention over offsets (Dao et al. 2022): CUDA, 16-bit, no densifying at all."""
    from torch.nn.attention.varlen import varlen_attn

    reach = scoring.reach
    window = {Full: (-1, -1), Causal: (-1, 0)}.get(type(reach))
    if isinstance(reach, Window):
        window = (reach.left, reach.right)
    assert window is not None
    context = varlen_attn(
        q_THK.contiguous(),
        k_SGK.contiguous(),
        v_SGK.contiguous(),
        queries.derive("int32 offsets", queries.offsets.int),
        keys.derive("int32 offsets", keys.offsets.int),
        queries.longest,
        keys.longest,
        scale=scoring.scale,
        window_size=window,
        enable_gqa=q_THK.shape[1] != k_SGK.shape[1],
    )
    assert isinstance(context, Tensor)
    return context


def _dense(
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
        one = _dense(q.reshape(len(q), -1, groups, q.shape[3]), k, v, mask, scoring)
        return one.reshape(q.shape)
    if dropout == 0.0 or q.is_cuda:
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
    if groups > 1:
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
    scores = (q * scale) @ k.mT
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril()
    if mask is not None:
        scores = (
            scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
        )
    return drop(scores.softmax(dim=-1), dropout) @ v


def _runs(queries: Layout, keys: Layout) -> list[tuple[int, int, int]]:
    """Return (count, queries, keys) of neighbouring sequences that have as many of both."""
    pairs = groupby(zip(queries.lengths, keys.lengths, strict=True))
    return [(sum(1 for _ in group), *pair) for pair, group in pairs]


def _is_just_causal(scoring: Scoring) -> bool:
    return isinstance(scoring.reach, Causal) and scoring.bias_HLL is None


def _mask_of_run(keys: Layout, of_queries: int, of_keys: int, scoring: Scoring) -> Tensor | None:
    """The mask that all sequences of a run share, or None where they need none."""
    reach, first = scoring.reach, of_keys - of_queries

    def make() -> Tensor:
        query = torch.arange(first, of_keys, device=keys.device)
        key = torch.arange(of_keys, device=keys.device)
        return reach.allows(query[:, None], key[None, :])

    needed = not reach.covers(of_queries, of_keys)
    mask = keys.derive((reach, of_queries, of_keys), make) if needed else None
    if scoring.bias_HLL is None:
        return mask
    bias = scoring.bias_HLL[:, first:of_keys, :of_keys]
    return bias if mask is None else bias.masked_fill(~mask, float("-inf"))


def _grid_mask(queries: Layout, keys: Layout, reach: Reach) -> Tensor | None:
    """The mask (B, 1, queries, keys) of a grid, or None where no place in it is padding."""
    if len({*zip(queries.lengths, keys.lengths, strict=True)}) == 1 and reach.covers(
        queries.longest, keys.longest
    ):
        return None
    of_queries, of_keys = (
        torch.tensor(layout.lengths, device=layout.device)[:, None, None]
        for layout in (queries, keys)
    )
    within = torch.arange(queries.longest, device=queries.device)[:, None]
    key = torch.arange(keys.longest, device=keys.device)
    allowed = reach.allows(of_keys - of_queries + within, key) & (key < of_keys)
    # A padding query that sees nothing would be 0/0, and poison the gradient of the batch.
    return (allowed | (within >= of_queries))[:, None]


def _grid_bias(queries: Layout, keys: Layout, mask: Tensor | None, bias_HLL: Tensor) -> Tensor:
    """The additive mask (B or 1, H, queries, keys): the bias where attention may go."""
    Q, L = queries.longest, keys.longest
    firsts = [k - q for q, k in zip(queries.lengths, keys.lengths, strict=True)]
    if len(set(firsts)) == 1:
        bias = bias_HLL[None, :, firsts[0] : firsts[0] + Q, :L]
    else:
        rows = torch.tensor(firsts, device=bias_HLL.device)[:, None] + torch.arange(
            Q, device=bias_HLL.device
        )
        bias = bias_HLL[:, rows.clamp(max=bias_HLL.shape[1] - 1), :L].transpose(0, 1)
    return bias if mask is None else torch.where(mask, bias, float("-inf"))


def _padding_pays(queries: Layout, keys: Layout, scoring: Scoring) -> bool:
    """Whether one call over a padded grid is cheaper than one small call for each run.

    Costs are in query-key pairs, fitted to measurements on CPU: 64 for each token beside its pairs,
    as much again for its way into the grid and back, and a fixed price for each call, which is
    higher where dropout keeps the attention from being fused.
    """
    if _by_window(keys.longest, scoring):
        return False
    token, call = 64, 1_500 if scoring.dropout == 0.0 else 8_000
    in_runs = sum(n * q * (k + token) + call for n, q, k in _runs(queries, keys))
    in_grid = len(queries) * queries.longest * (keys.longest + 2 * token) + call
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
