"""Attention over a ragged batch: softmax(QKᵀ·scale + bias) V inside each sequence.

The formula's own choices (what may attend to what, scale, bias, dropout) are a `Scoring`. T queries
lie as one layout says and S keys as another; in self-attention the two are the same. Where a
sequence has fewer queries than keys, its last query stands at its last key.

`reference` is the formula, sequence by sequence. The other ways give the same numbers faster and
are held to it by test; `attend` picks one for the batch. Only this module may densify, inside one
call.

    by_runs   equal-length neighbours as one dense, unpadded attention (CPU, GPU)
    padded    one masked attention over a padded grid: better for many short runs
    by_blocks blocks of queries and the few keys that they may see (`core.sparse`): linear in length
    varlen    the CUDA kernel that reads ragged batches as they are (16-bit)
    over_grid one masked attention to keys that a cache holds as a padded grid already
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor

from manyheads.core.dense import Scoring, dense, hide
from manyheads.core.dropout import drop
from manyheads.core.layout import Layout
from manyheads.core.mask import Blocks, Causal, Full, GlobalWindow, Reach, Window, mask_of
from manyheads.core.sparse import Plan, by_blocks, pays, plan


def attend(
    q_THK: Tensor, k_SGK: Tensor, v_SGK: Tensor, queries: Layout, keys: Layout, scoring: Scoring
) -> Tensor:
    """Return the context (T, H, K) of every token, by the fastest way for this batch.

    H is a multiple of G (grouped-query attention, Ainslie et al. 2023).
    """
    if _sees_all(queries, keys, scoring):
        scoring = replace(scoring, reach=Full())
    plain = scoring.bias_HLL is None and scoring.dropout == 0.0
    plain &= isinstance(scoring.reach, Full | Causal | Window)
    if q_THK.is_cuda and plain and q_THK.element_size() == 2:
        return varlen(q_THK, k_SGK, v_SGK, queries, keys, scoring)
    way = padded if _padding_pays(queries, keys, scoring) else by_runs
    return way(q_THK, k_SGK, v_SGK, queries, keys, scoring)


def weights(
    q_THK: Tensor, k_SGK: Tensor, queries: Layout, keys: Layout, scoring: Scoring
) -> list[Tensor]:
    """Return the weights of each sequence, (H, queries, keys), rows summing to 1: no dropout."""
    k_SHK = k_SGK.repeat_interleave(q_THK.shape[1] // k_SGK.shape[1], dim=1)
    sequences = zip(
        q_THK.split(queries.lengths),
        k_SHK.split(keys.lengths),
        scorings(keys, scoring),
        strict=True,
    )
    result = []
    for q, k, own in sequences:
        first = len(k) - len(q)
        scores = torch.einsum("qhk,thk->hqt", q.float(), k.float()) * scoring.scale
        if scoring.bias_HLL is not None:
            scores = scores + scoring.bias_HLL[:, first : len(k), : len(k)]
        query = torch.arange(first, len(k), device=k.device)
        key = torch.arange(len(k), device=k.device)
        mask = mask_of(own.reach, query[:, None], key[None, :])
        result.append(hide(scores, mask).softmax(dim=-1))
    return result


def scorings(keys: Layout, scoring: Scoring) -> list[Scoring]:
    """Return the scoring of each sequence, by its length and its global tokens."""
    global_tokens = keys.global_tokens or (None,) * len(keys)
    return [scoring.over(*one) for one in zip(keys.lengths, global_tokens, strict=True)]


def reference(
    q_THK: Tensor, k_SGK: Tensor, v_SGK: Tensor, queries: Layout, keys: Layout, scoring: Scoring
) -> Tensor:
    """The formula, one sequence after the other, in float32: what every other way must equal."""
    v_SHK = v_SGK.repeat_interleave(q_THK.shape[1] // v_SGK.shape[1], dim=1)
    context = [
        torch.einsum("hqt,thk->qhk", drop(weight, own.dropout), v_one.float())
        for weight, v_one, own in zip(
            weights(q_THK, k_SGK, queries, keys, scoring),
            v_SHK.split(keys.lengths),
            scorings(keys, scoring),
            strict=True,
        )
    ]
    return torch.cat(context).to(q_THK.dtype)


def by_runs(
    q_THK: Tensor, k_SGK: Tensor, v_SGK: Tensor, queries: Layout, keys: Layout, scoring: Scoring
) -> Tensor:
    """One dense attention for each run of equal lengths: no padding, no copies in."""
    runs = _runs(queries, keys)
    # Split at once: a slice for each run would cost a whole gradient tensor each.
    q_parts = q_THK.split([run.sequences * run.queries for run in runs])
    sizes = [run.sequences * run.keys for run in runs]
    context = []
    for run, q_part, k_part, v_part in zip(
        runs, q_parts, k_SGK.split(sizes), v_SGK.split(sizes), strict=True
    ):
        own = scoring.over(run.keys, run.global_tokens)
        q = q_part.unflatten(0, (run.sequences, run.queries))
        k = k_part.unflatten(0, (run.sequences, run.keys))
        v = v_part.unflatten(0, (run.sequences, run.keys))
        if run.queries == run.keys and pays(own, run.keys):
            out = by_blocks(q, k, v, _plan_of_run(keys, run, own.reach, q), own)
        else:
            q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
            causal = run.queries == run.keys and _is_just_causal(own)
            mask = None if causal else _mask_of_run(keys, run, own)
            out = dense(q, k, v, mask, own, causal).transpose(1, 2)
        context.append(out.flatten(0, 1))
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
    out = dense(q, k_BGLK, v_BGLK, mask, scoring).transpose(1, 2).flatten(0, 1)
    return out if even else out[queries.slots]


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


class _Run(NamedTuple):
    """Neighbours that have as many queries, keys and global tokens."""

    sequences: int
    queries: int
    keys: int
    global_tokens: int | None


def _runs(queries: Layout, keys: Layout) -> list[_Run]:
    global_tokens = keys.global_tokens or (None,) * len(keys)
    groups = groupby(zip(queries.lengths, keys.lengths, global_tokens, strict=True))
    return [_Run(sum(1 for _ in group), *sizes) for sizes, group in groups]


def _is_just_causal(scoring: Scoring) -> bool:
    return isinstance(scoring.reach, Causal) and scoring.bias_HLL is None


def _plan_of_run(keys: Layout, run: _Run, reach: Reach, like: Tensor) -> Plan:
    key = ("plan", reach, run.keys, like.dtype)
    return keys.derive(key, lambda: plan(reach, run.keys, like))


def _mask_of_run(keys: Layout, run: _Run, scoring: Scoring) -> Tensor | None:
    """The mask that all sequences of a run share, or None where they need none."""
    reach, first = scoring.reach, run.keys - run.queries

    def make() -> Tensor:
        query = torch.arange(first, run.keys, device=keys.device)
        key = torch.arange(run.keys, device=keys.device)
        return mask_of(reach, query[:, None], key[None, :])

    needed = not reach.covers(run.queries, run.keys)
    mask = keys.derive(("mask", reach, run.queries, run.keys), make) if needed else None
    if scoring.bias_HLL is None:
        return mask
    bias = scoring.bias_HLL[:, first : run.keys, : run.keys]
    return bias if mask is None else hide(bias, mask)


def _sees_all(queries: Layout, keys: Layout, scoring: Scoring) -> bool:
    """Whether no sequence is long enough for the reach to keep anything from anything."""

    def find() -> bool:
        return all(
            scoring.over(run.keys, run.global_tokens).reach.covers(run.queries, run.keys)
            for run in _runs(queries, keys)
        )

    return keys.derive(("sees all", scoring.reach, queries.lengths), find)


def _is_shared(keys: Layout, reach: Reach) -> bool:
    """Whether one predicate holds for all sequences of the batch."""
    own_tokens = keys.global_tokens is not None and isinstance(reach, GlobalWindow)
    return not own_tokens and not isinstance(reach, Blocks)


def _grid_mask(queries: Layout, keys: Layout, reach: Reach) -> Tensor | None:
    """The mask (B, 1, queries, keys) of a grid, or None where no place in it is padding."""
    assert _is_shared(keys, reach)
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
    if not _is_shared(keys, scoring.reach) or pays(scoring, keys.longest):
        return False
    token, call = 64, 1_500 if scoring.dropout == 0.0 else 8_000
    in_runs = sum(
        run.sequences * run.queries * (run.keys + token) + call for run in _runs(queries, keys)
    )
    in_grid = len(queries) * queries.longest * (keys.longest + 2 * token) + call
    return in_grid < in_runs
