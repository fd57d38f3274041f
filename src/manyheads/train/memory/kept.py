"""What a forward pass keeps for its gradient, as a formula of the layers and the lengths.

Of T tokens in sequences of lengths L, a block of width D with H heads of size K (G of them for keys
and values) and a feed-forward layer of width F keeps so many numbers, those in brackets only where
there is dropout:

    a linear layer         its input                   T·in, where its weight learns
    a norm                 its input                   T·D
    GELU, SiLU             its input, T·F;             of a gated layer both halves and their factor
    dropout                its mask                    [T·D]
    attention, plain       queries, keys, values       3·T·H·K
                           softmax, mask and product   Σ H·L², [3·Σ H·L²]
    attention, fused       the same and its output     T·(2H + 2G)·K, Σ H·L² never

So BERT's block keeps 10·T·D + 2·T·F + 3·Σ H·L². Nothing is kept where neither the layer nor what
lies below it learns. What matrix products read is a copy in 16 bits in mixed precision; norms and
the residual stream stay in 32. A block that is computed again keeps its input alone, T·D, and the
rest while its own gradient is computed (Chen et al. 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from manyheads.core.attention import Attention, CrossAttention
from manyheads.core.block import Block, Norms
from manyheads.core.embed import Embedding
from manyheads.core.feedforward import FeedForward, GatedFeedForward
from manyheads.core.low_rank import LowRankLinear
from manyheads.core.mask import Blocks, GlobalWindow, Reach, Window
from manyheads.core.recompute import RecomputedBlock
from manyheads.core.transformer import Stack

WIDE = 4  # bytes of a weight, a gradient, a number of the residual stream
_SPARSE_BLOCK = 128  # queries that share their keys, where attention reads few


@dataclass(frozen=True)
class Format:
    """Bytes of what matrix products read, and whether one kernel computes attention."""

    narrow: int
    fused: bool


@dataclass(frozen=True)
class Stage:
    """A part of the forward pass, in bytes.

    `kept` stays until its gradient is computed, `scores` of attention beside it; `working` is what
    computing that takes for a moment, `gradients` what its weights get.
    """

    name: str
    kept: int = 0
    scores: int = 0
    working: int = 0
    gradients: int = 0


def gradient_bytes(module: nn.Module) -> int:
    """Return the bytes of the gradients of a module's weights."""
    return WIDE * sum(one.numel() for one in module.parameters() if one.requires_grad)


def stack_stages(
    name: str, stack: Stack, lengths: Sequence[int], format_: Format, read: Sequence[int] = ()
) -> list[Stage]:
    """Return the stages of a stack over sequences of these lengths; `read` are those that a decoder
    reads of an encoder.
    """
    stages = [
        _block_stage(f"{name} {number}", block, lengths, format_, read)
        for number, block in enumerate(stack.blocks)
    ]
    rows = WIDE * sum(lengths) * _width(stack.norm)
    return [*stages, Stage(f"{name} norm", rows, gradients=gradient_bytes(stack.norm))]


def embedding_stage(name: str, embedding: Embedding, tokens: int) -> Stage:
    """Return the stage that makes the first hidden states."""
    wide = WIDE * tokens * embedding.spec.width
    kept = WIDE * tokens * _width(embedding.norm) + wide * bool(embedding.dropout.p)
    return Stage(name, kept, working=2 * wide, gradients=gradient_bytes(embedding))


def only_above(stages: Sequence[Stage]) -> list[Stage]:
    """Return the stages, those below the lowest weight that learns without anything to keep.

    What they work with in the forward pass is of the size of what they would on the way back.
    """
    lowest = next((n for n, one in enumerate(stages) if one.gradients), len(stages))
    return [
        Stage(one.name, working=one.working) if number < lowest else one
        for number, one in enumerate(stages)
    ]


def _block_stage(
    name: str,
    block: nn.Module,
    lengths: Sequence[int],
    format_: Format,
    read: Sequence[int],
) -> Stage:
    inner = block.block if isinstance(block, RecomputedBlock) else block
    assert isinstance(inner, Block)
    tokens, width = sum(lengths), len(inner.feedforward.down.weight)
    parts = [
        _attention(inner.attention, lengths, lengths, format_),
        _feedforward(inner.feedforward, tokens, format_),
    ]
    kept = _norms(inner.attention_norms, tokens) + _norms(inner.feedforward_norms, tokens)
    if inner.cross is not None and inner.cross_norms is not None:
        parts.append(_attention(inner.cross, lengths, read, format_))
        kept += _norms(inner.cross_norms, tokens)
    kept += sum(part.kept for part in parts)
    scores = sum(part.scores for part in parts)
    working = max(part.working for part in parts)
    gradients = gradient_bytes(inner)
    if inner is block:
        return Stage(name, kept, scores, working, gradients)
    return Stage(name, WIDE * tokens * width, 0, kept + scores + working, gradients)


def _attention(
    attention: Attention | CrossAttention,
    queries: Sequence[int],
    keys: Sequence[int],
    format_: Format,
) -> Stage:
    """Return what attention keeps: to the sequences themselves, or to those of an encoder."""
    spec, narrow = attention.spec, format_.narrow
    tokens, asked = sum(queries), sum(keys)
    q, kv = spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim
    pairs = sum(n * _seen(spec.reach, m) for n, m in zip(queries, keys, strict=True))
    scores = spec.heads * pairs * narrow
    dropout = attention.attend.dropout
    kept = _read(attention.out, tokens, narrow)
    kept += narrow * tokens * len(attention.out.weight) * bool(attention.out_dropout.p)
    if isinstance(attention, CrossAttention):
        kept += _read(attention.q, tokens, narrow) + _read(attention.kv, asked, narrow)
    else:
        kept += _read(attention.qkv, tokens, narrow)
    if format_.fused or (not dropout and narrow == WIDE):
        turned = spec.rotary is not None or spec.qk_norm is not None
        kept += narrow * (tokens * (2 * q + turned * (q + kv)) + 2 * asked * kv)
        return Stage("", kept, 0, working=narrow * (2 * tokens * q + 2 * asked * kv))
    kept += narrow * q * (tokens + 2 * asked)
    working = 3 * scores + narrow * q * (tokens + 2 * asked)
    return Stage("", kept, 3 * scores if dropout else scores, working)


def _seen(reach: Reach, length: int) -> int:
    """Return how many keys a query has a score for, in a sequence of a length."""
    match reach:
        case Window(left, right) | GlobalWindow(left, right):
            return min(length, left + right + max(_SPARSE_BLOCK, left, right))
        case Blocks():
            return min(length, 8 * reach.size)
        case _:
            return length


def _feedforward(layer: FeedForward, tokens: int, format_: Format) -> Stage:
    narrow, inner = format_.narrow, tokens * layer.down.weight.shape[1]
    kept = _read(layer.up, tokens, narrow) + _read(layer.down, tokens, narrow)
    kept += narrow * inner * bool(layer.dropout.p)
    kept += narrow * tokens * len(layer.down.weight) * bool(layer.out_dropout.p)
    gated = isinstance(layer, GatedFeedForward)
    if not isinstance(layer.activation, nn.ReLU | nn.Tanh):
        kept += narrow * inner * (3 if gated else 1)
    return Stage("", kept, working=narrow * inner * (4 if gated else 2))


def _norms(norms: Norms, tokens: int) -> int:
    return WIDE * tokens * sum(map(_width, (norms.before, norms.after, norms.residual)))


def _width(norm: nn.Module) -> int:
    """Return how many numbers a norm reads of each token: none, where there is none."""
    return norm.weight.numel() if isinstance(norm, nn.LayerNorm | nn.RMSNorm) else 0


def _read(layer: nn.Module, tokens: int, narrow: int) -> int:
    """Return the bytes of a linear layer's input, where a weight learns from it."""
    if isinstance(layer, LowRankLinear):
        rank, width = layer.down.shape
        return narrow * tokens * (width * (2 if layer.dropout.p else 1) + rank)
    assert isinstance(layer, nn.Linear)
    return narrow * tokens * layer.in_features if layer.weight.requires_grad else 0
