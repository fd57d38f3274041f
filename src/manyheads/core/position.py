"""Positions: learned and sinusoidal vectors, rotary angles, relative score bias."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from manyheads.core.layout import Layout
from manyheads.core.spec import (
    Alibi,
    LearnedPositions,
    LinearScaling,
    Llama3Scaling,
    RelativeBias,
    Rotary,
    SinusoidalPositions,
)
from manyheads.errors import LayoutError

_GRID_BASE = 10.0  # a grid has few rows: at 10,000 most numbers would be the same for all


def sinusoidal_table(
    count: int, width: int, halves: bool = False, closed: bool = False, base: float = 10_000
) -> Tensor:
    """Return PE (count, D): PE[p,2i] = sin(p/base^(2i/D)), PE[p,2i+1] = cos(the same angle).

    "Attention Is All You Need", section 3.5. One angle per pair of dimensions; with `halves`, the
    sines of all pairs come first, and with `closed` the last pair's angle is p/base itself.
    """
    position = torch.arange(count, dtype=torch.float64)[:, None]
    even = torch.arange(0, width, 2, dtype=torch.float64)
    angle = position / base ** (even / (max(1, width - 2) if closed else width))
    if halves:
        return torch.cat((angle.sin(), angle.cos()[:, : width // 2]), dim=1).float()
    table = torch.zeros(count, width)
    table[:, 0::2] = angle.sin()
    table[:, 1::2] = angle.cos()[:, : width // 2]
    return table


def grid_table(rows: int, columns: int, width: int) -> Tensor:
    """Return (rows·columns, D): the `sinusoidal_table` of each row, beside that of each column."""
    half = width // 2
    row_RD = sinusoidal_table(rows, half, base=_GRID_BASE)
    column_CD = sinusoidal_table(columns, width - half, base=_GRID_BASE)
    both = row_RD[:, None].expand(-1, columns, -1), column_CD[None].expand(rows, -1, -1)
    return torch.cat(both, dim=-1).flatten(0, 1)


class PositionEmbedding(nn.Module):
    """One vector of width D for each token by its position in its own sequence.

    Raises `LayoutError` where a sequence is longer than the table.
    """

    def __init__(self, spec: LearnedPositions | SinusoidalPositions, width: int) -> None:
        super().__init__()
        self.spec = spec
        if isinstance(spec, LearnedPositions):
            self.weight = nn.Parameter(torch.zeros(spec.count, width))
        else:
            with torch.device("cpu"):  # it follows from the spec, also where weights come later
                table = sinusoidal_table(spec.count, width, spec.halves, spec.closed)
            self.register_buffer("weight", table, persistent=False)

    @property
    def offset(self) -> int:
        """The row of position 0."""
        return self.spec.offset

    def forward(self, layout: Layout) -> Tensor:
        """Return position vectors (T, D)."""
        limit, longest = self.spec.count - self.offset, layout.keys.longest
        if longest > limit:
            raise LayoutError(
                f"a sequence of {longest} tokens exceeds the {limit} positions of this "
                f"model; truncate to max_tokens={limit}"
            )
        return nn.functional.embedding(layout.positions + self.offset, self.weight)


def rotary_angles(spec: Rotary, head_dim: int, layout: Layout) -> tuple[Tensor, Tensor]:
    """Return what `rotate` needs of each token's angles, (T, 1, K) twice; once for a batch.

    Angle of pair i at position p: p · base^(-2i/K) (Su et al. 2021, equation 15). The first is
    (cos, cos), the second (-sin, sin), each half as `rotary_frequencies` orders the pairs.
    """

    def make() -> tuple[Tensor, Tensor]:
        frequency = rotary_frequencies(spec, head_dim).to(layout.device)
        angle = layout.positions[:, None, None].float() * frequency
        cos, sin = angle.cos(), angle.sin()
        return torch.cat((cos, cos), dim=-1), torch.cat((-sin, sin), dim=-1)

    return layout.derive((spec, head_dim), make)


def rotary_frequencies(spec: Rotary, head_dim: int) -> Tensor:
    """Return by how much each pair turns from one position to the next, (K/2)."""
    even = torch.arange(0, head_dim, 2, dtype=torch.float32)
    frequency = 1.0 / spec.base ** (even / head_dim)
    match spec.scaling:
        case None:
            return frequency
        case LinearScaling(factor):
            return frequency / factor
        case Llama3Scaling(factor, low, high, original):
            turns = original * frequency / (2 * math.pi)
            kept = ((turns - low) / (high - low)).clamp(0, 1)
            return kept * frequency + (1 - kept) * frequency / factor


def rotate(x_THK: Tensor, cos_T1K: Tensor, sin_T1K: Tensor) -> Tensor:
    """Turn each pair (x_i, x_{i+K/2}) by its angle: (T, H, K) → (T, H, K).

    Pairs are half a head apart, as published checkpoints order them, not neighbours as in the
    paper; the two differ by a fixed permutation of the projection's rows.
    """
    x = x_THK.float()
    if x.requires_grad and torch.is_grad_enabled():
        turned: Tensor = _Rotation.apply(x, cos_T1K, sin_T1K)  # type: ignore[no-untyped-call]
    else:
        turned = _turned(x, cos_T1K, sin_T1K)
    return turned.to(x_THK.dtype)


def _turned(x_THK: Tensor, cos_T1K: Tensor, sin_T1K: Tensor) -> Tensor:
    """x_i cos - x_{i+K/2} sin in the first half, x_{i+K/2} cos + x_i sin in the second."""
    partners_THK = x_THK.roll(x_THK.shape[-1] // 2, dims=-1)
    return (x_THK * cos_T1K).addcmul_(partners_THK, sin_T1K)


class _Rotation(Function):
    """The rotation without the intermediate tensors that autograd would keep of it."""

    @staticmethod
    def forward(context: Any, x_THK: Tensor, cos_T1K: Tensor, sin_T1K: Tensor) -> Tensor:
        context.angles = cos_T1K, sin_T1K
        return _turned(x_THK, cos_T1K, sin_T1K)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        cos_T1K, sin_T1K = context.angles
        (gradient_THK,) = gradients
        return rotate(gradient_THK, cos_T1K, -sin_T1K), None, None


class RelativePositionBias(nn.Module):
    """A learned score bias for each head and bucket of distance (Raffel et al. 2020, section 2.1).

    Half the buckets are exact small distances, the other half grow logarithmically up to
    `max_distance`; bidirectional bias splits them between keys before and keys after the query.
    """

    def __init__(self, spec: RelativeBias, heads: int) -> None:
        super().__init__()
        self.spec = spec
        self.weight = nn.Parameter(torch.zeros(spec.buckets, heads))

    def bucket(self, distance: Tensor) -> Tensor:
        """Return the bucket of each distance (key position minus query position)."""
        buckets = self.spec.buckets
        if self.spec.bidirectional:
            buckets //= 2
            base = (distance > 0).long() * buckets
            distance = distance.abs()
        else:
            base = torch.zeros_like(distance)
            distance = -distance.clamp(max=0)
        exact = buckets // 2
        far = distance.clamp(min=1).float() / exact
        growth = (buckets - exact) / math.log(self.spec.max_distance / exact)
        logarithmic = (exact + (far.log() * growth).long()).clamp(max=buckets - 1)
        return base + torch.where(distance < exact, distance, logarithmic)

    def forward(self, queries: int, keys: int) -> Tensor:
        """Return the bias (H, queries, keys) to add to scaled scores."""
        device = self.weight.device
        query = torch.arange(queries, device=device)[:, None]
        key = torch.arange(keys, device=device)[None, :]
        return self.weight[self.bucket(key - query)].permute(2, 0, 1)


class AlibiBias(nn.Module):
    """-slope · distance for each head (Press, Smith & Lewis 2022): nothing is learnt.

    Slopes fall geometrically from 2^(-8/n) for the largest power of two n ≤ H; where H is no such
    power, the heads beyond take every other slope of the series of 2n heads.
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.slopes_H: Tensor
        with torch.device("cpu"):
            slopes_H = alibi_slopes(heads)
        self.register_buffer("slopes_H", slopes_H, persistent=False)

    def forward(self, queries: int, keys: int) -> Tensor:
        """Return the bias (H, queries, keys) to add to scaled scores."""
        device = self.slopes_H.device
        distance = torch.arange(queries, device=device)[:, None] - torch.arange(keys, device=device)
        return -self.slopes_H[:, None, None] * distance.abs()


def alibi_slopes(heads: int) -> Tensor:
    """Return the slope of each head, (H)."""
    even = 1 << (heads.bit_length() - 1)
    slopes = [2.0 ** (-8.0 * i / even) for i in range(1, even + 1)]
    slopes += [2.0 ** (-4.0 * i / even) for i in range(1, 2 * even, 2)][: heads - even]
    return torch.tensor(slopes)


def make_position_bias(spec: RelativeBias | Alibi | None, heads: int) -> nn.Module | None:
    """Return the score bias that all blocks of a stack share, if there is one."""
    match spec:
        case None:
            return None
        case RelativeBias():
            return RelativePositionBias(spec, heads)
        case Alibi():
            return AlibiBias(heads)
