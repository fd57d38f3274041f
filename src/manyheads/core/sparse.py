"""Attention where each query may see few keys: time and memory grow linearly with the length.

Some tokens at the ends of a sequence may see everything; they are few. The others lie in M blocks
of Q queries, and a block reads R keys, gathered for it alone:

    front │ block 0 │ block 1 │ block 2 │ … │ back          tokens of a sequence
              ↓
    keys of block 0, of block 1, …                          (M, R)

`Plan` says which keys; it follows from the reach and the length, and serves all layers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from manyheads.core.dense import Scoring, dense
from manyheads.core.mask import Blocks, GlobalWindow, Reach, Window

# Queries in a block, at least: smaller products are slower than what they save.
_BLOCK = 128


@dataclass(frozen=True, eq=False)
class Plan:
    """The keys that each block of queries reads, in every sequence of one length.

    `front` and `back` tokens see everything, the others lie in blocks of `block` queries. Block m
    reads the tokens at `keys_MHR` under `mask`, which is bool or additive and fits
    (M, H, `block`, R); H is 1 where all heads read the same.
    """

    front: int
    back: int
    block: int
    keys_MHR: Tensor
    mask: Tensor


def pays(scoring: Scoring, length: int) -> bool:
    """Whether a sequence is long enough for blocks to save what they cost."""
    if scoring.bias_HLL is not None:
        return False
    match scoring.reach:
        case Window(left, right) | GlobalWindow(left, right):
            return length > 2 * max(64, left + right)
        case Blocks():
            return True
        case _:
            return False


def plan(reach: Reach, length: int, like: Tensor) -> Plan:
    """Return the plan of a sparse reach for sequences of a length, for queries like this tensor."""
    match reach:
        case Window(left, right):
            return _plan_of_window(GlobalWindow(left, right, 0), length, like.device)
        case GlobalWindow():
            return _plan_of_window(reach, length, like.device)
        case Blocks():
            return _plan_of_blocks(reach, length, like)
        case _:
            raise AssertionError(f"{reach} is not sparse")


def _plan_of_window(reach: GlobalWindow, length: int, device: torch.device) -> Plan:
    front = min(reach.global_tokens, length)
    block = max(_BLOCK, reach.left, reach.right)
    starts_M1 = torch.arange(front, length, block, device=device)[:, None]
    query_MQ = starts_M1 + torch.arange(block, device=device)
    near_MR = starts_M1 + torch.arange(-reach.left, block + reach.right, device=device)
    key_MR = torch.cat((torch.arange(front, device=device).expand(len(starts_M1), -1), near_MR), 1)
    real_MR = pad((near_MR >= front) & (near_MR < length), (front, 0), value=True)
    mask_MQR = reach.allows(query_MQ[:, :, None], key_MR[:, None]) & real_MR[:, None]
    # A query behind the end that sees nothing would be 0/0, and poison the gradient of the batch.
    mask_MQR |= (query_MQ >= length)[:, :, None]
    return Plan(front, 0, block, key_MR.clamp(0, length - 1)[:, None], mask_MQR[:, None])


def _plan_of_blocks(reach: Blocks, length: int, like: Tensor) -> Plan:
    size = reach.size
    seen_HMS, times_HMS = (tensor.to(like.device) for tensor in reach.rows())
    key_HMR = (seen_HMS[..., None] * size + torch.arange(size, device=like.device)).flatten(2)
    log_times_HMR = times_HMS.to(like.dtype).log().repeat_interleave(size, dim=2)
    mask_HMR = log_times_HMR.masked_fill(key_HMR >= length, -torch.inf)
    return Plan(
        front=size,
        back=length - (seen_HMS.shape[1] + 1) * size,
        block=size,
        keys_MHR=key_HMR.clamp(max=length - 1).transpose(0, 1),
        mask=mask_HMR.transpose(0, 1)[:, :, None],
    )


def by_blocks(
    q_NLHK: Tensor, k_NLGK: Tensor, v_NLGK: Tensor, plan: Plan, scoring: Scoring
) -> Tensor:
    """Return the context (N, L, H, K) of N sequences of the length that the plan is for."""
    N, L, inner = *q_NLHK.shape[:2], q_NLHK.shape[1] - plan.front - plan.back
    front, q, back = q_NLHK.split((plan.front, inner, plan.back), dim=1)
    blocks = pad(q, (0, 0, 0, 0, 0, -inner % plan.block)).unflatten(1, (-1, plan.block))
    context = dense(
        blocks.flatten(0, 1).transpose(1, 2),
        _gather(k_NLGK, plan.keys_MHR),
        _gather(v_NLGK, plan.keys_MHR),
        plan.mask if N == 1 else plan.mask.repeat(N, 1, 1, 1),
        scoring,
    )
    context = context.transpose(1, 2).reshape(N, -1, *q.shape[2:])[:, :inner]
    if inner == L:
        return context
    ends = torch.cat((front, back), dim=1).transpose(1, 2)
    seen = dense(ends, k_NLGK.transpose(1, 2), v_NLGK.transpose(1, 2), None, scoring)
    front, back = seen.transpose(1, 2).split((plan.front, plan.back), dim=1)
    return torch.cat((front, context, back), dim=1)


def _gather(x_NLGK: Tensor, keys_MHR: Tensor) -> Tensor:
    """Return what each block of each sequence reads, (N·M, G, R, K)."""
    blocks, heads, read = keys_MHR.shape
    if heads > 1:  # then a row is one head of a token, else all of them
        keys_MHR = keys_MHR * heads + torch.arange(heads, device=keys_MHR.device)[:, None]
    rows = x_NLGK.unflatten(2, (heads, -1)).flatten(1, 2)
    # One gather for all blocks: a slice for each would cost a whole gradient tensor each.
    chosen = rows.index_select(1, keys_MHR.flatten()).unflatten(1, (blocks, heads, read))
    return chosen.flatten(0, 1).movedim(3, 2).flatten(1, 2)
