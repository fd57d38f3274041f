"""Positions against their published formulas."""

from __future__ import annotations

import cmath
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.m2m_100.modeling_m2m_100 import M2M100SinusoidalPositionalEmbedding
from transformers.models.t5.modeling_t5 import T5Attention

from manyheads.core.layout import Layout
from manyheads.core.position import (
    PositionEmbedding,
    RelativePositionBias,
    grid_table,
    rotary_angles,
    rotate,
    sinusoidal_table,
)
from manyheads.core.spec import LearnedPositions, RelativeBias, Rotary, SinusoidalPositions
from manyheads.errors import LayoutError


@pytest.mark.parametrize(("count", "width"), [(1, 2), (50, 16), (7, 5), (3, 1)])
def test_sinusoidal_table_is_the_formula(count: int, width: int) -> None:
    def entry(position: int, dimension: int) -> float:
        pair = dimension // 2
        angle = position / 10_000 ** (2 * pair / width)
        return math.cos(angle) if dimension % 2 else math.sin(angle)

    expected = torch.tensor([[entry(p, d) for d in range(width)] for p in range(count)])
    torch.testing.assert_close(sinusoidal_table(count, width), expected, atol=1e-6, rtol=0)


def test_grid_table_says_row_and_column() -> None:
    table = grid_table(3, 4, 10).unflatten(0, (3, 4))
    for row in range(3):
        for column in range(4):
            expected = [sinusoidal_table(4, 5, base=10.0)[place] for place in (row, column)]
            torch.testing.assert_close(table[row, column], torch.cat(expected))


@pytest.mark.parametrize(("count", "width"), [(5, 8), (1030, 16)])
def test_closed_sinusoids_are_those_of_m2m(count: int, width: int) -> None:
    theirs = M2M100SinusoidalPositionalEmbedding(count - 2, width, padding_idx=1).weights
    ours = sinusoidal_table(count, width, halves=True, closed=True)
    # The row of padding is zero there, and no token's here. They count angles in single precision.
    torch.testing.assert_close(ours[2:], theirs[2:], atol=1e-7 * count + 1e-6, rtol=0)


def test_sinusoidal_positions_start_at_their_offset() -> None:
    embedding = PositionEmbedding(SinusoidalPositions(count=6, offset=2), 4)
    assert torch.equal(embedding(Layout([2, 4])), sinusoidal_table(6, 4)[[2, 3, 2, 3, 4, 5]])


def test_sinusoidal_positions_follow_each_sequence_and_are_not_trained() -> None:
    embedding = PositionEmbedding(SinusoidalPositions(10), 6)
    table = sinusoidal_table(10, 6)
    torch.testing.assert_close(
        embedding(Layout([3, 1, 2])), table[[0, 1, 2, 0, 0, 1]], atol=0, rtol=0
    )
    assert list(embedding.parameters()) == []
    assert embedding.state_dict() == {}


def test_learned_positions_start_at_their_offset() -> None:
    embedding = PositionEmbedding(LearnedPositions(count=6, offset=2), 4)
    torch.nn.init.normal_(embedding.weight)
    out = embedding(Layout([2, 4]))
    assert torch.equal(out, embedding.weight[[2, 3, 2, 3, 4, 5]])


@pytest.mark.parametrize(
    "spec",
    [LearnedPositions(6, offset=2), SinusoidalPositions(4), SinusoidalPositions(6, offset=2)],
    ids=["learned", "sin", "sin with an offset"],
)
def test_a_sequence_beyond_the_table_is_refused_with_the_limit(
    spec: LearnedPositions | SinusoidalPositions,
) -> None:
    embedding = PositionEmbedding(spec, 4)
    embedding(Layout([4]))
    with pytest.raises(LayoutError, match=r"5 tokens exceeds the 4 positions .* max_tokens=4"):
        embedding(Layout([1, 5]))


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    half=st.integers(1, 6),
    base=st.sampled_from([100.0, 10_000.0, 160_000.0]),
)
def test_rotary_is_multiplication_by_unit_complex_numbers(
    lengths: list[int], half: int, base: float
) -> None:
    layout, head_dim = Layout(lengths), 2 * half
    x_THK = torch.randn(layout.tokens, 2, head_dim)
    found = rotate(x_THK, *rotary_angles(Rotary(base), head_dim, layout))
    for token, position in enumerate(layout.positions.tolist()):
        for pair in range(half):
            turn = cmath.exp(1j * position * base ** (-2 * pair / head_dim))
            for head in range(2):
                before = complex(x_THK[token, head, pair], x_THK[token, head, pair + half])
                after = complex(found[token, head, pair], found[token, head, pair + half])
                assert abs(before * turn - after) < 1e-4


def test_rotary_scores_depend_on_the_distance_alone() -> None:
    q, k = torch.randn(8), torch.randn(8)
    layout = Layout([40])
    angles = rotary_angles(Rotary(), 8, layout)
    turned_q = rotate(q.expand(40, 1, 8), *angles)[:, 0]
    turned_k = rotate(k.expand(40, 1, 8), *angles)[:, 0]
    scores = turned_q @ turned_k.T
    for distance in range(-39, 40):
        diagonal = scores.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-4, rtol=1e-4)


def test_rotary_keeps_the_dtype() -> None:
    layout = Layout([3])
    x_THK = torch.randn(3, 1, 4, dtype=torch.bfloat16)
    assert rotate(x_THK, *rotary_angles(Rotary(), 4, layout)).dtype == torch.bfloat16


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("buckets", "max_distance"), [(32, 128), (8, 20), (64, 512)])
def test_relative_buckets_are_those_of_t5(
    buckets: int, max_distance: int, bidirectional: bool
) -> None:
    bias = RelativePositionBias(RelativeBias(buckets, max_distance, bidirectional), heads=2)
    distance = torch.arange(-2 * max_distance, 2 * max_distance + 1)
    theirs = T5Attention._relative_position_bucket(distance, bidirectional, buckets, max_distance)
    assert torch.equal(bias.bucket(distance), theirs)


def test_relative_bias_looks_up_key_minus_query() -> None:
    bias = RelativePositionBias(RelativeBias(8, 20), heads=3)
    torch.nn.init.normal_(bias.weight)
    out = bias(4, 6)
    assert out.shape == (3, 4, 6)
    for query in range(4):
        for key in range(6):
            row = bias.bucket(torch.tensor(key - query))
            assert torch.equal(out[:, query, key], bias.weight[row])
