"""Masks: predicates over positions, and when none is needed."""

from __future__ import annotations

import math
from collections import Counter

import torch
from hypothesis import given
from hypothesis import strategies as st

from manyheads.core.mask import Blocks, Causal, Full, GlobalWindow, Reach, Window
from manyheads.core.random_blocks import random_blocks

reaches = st.one_of(
    st.just(Full()),
    st.just(Causal()),
    st.builds(Window, st.integers(0, 5), st.integers(0, 5)),
    st.builds(GlobalWindow, st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)),
)


def square(reach: Reach, length: int) -> list[list[bool]]:
    position = torch.arange(length)
    return reach.allows(position[:, None], position[None, :]).tolist()


def test_each_predicate_is_its_definition() -> None:
    everything = range(6)
    assert square(Full(), 6) == [[True] * 6] * 6
    assert square(Causal(), 6) == [[key <= query for key in everything] for query in everything]
    assert square(Window(2, 1), 6) == [
        [-2 <= key - query <= 1 for key in everything] for query in everything
    ]
    assert square(GlobalWindow(0, 1, 2), 6) == [
        [0 <= key - query <= 1 or min(key, query) < 2 for key in everything] for query in everything
    ]


def seen_by_definition(reach: Blocks, length: int, drawn: list[list[list[int]]]) -> list[list]:
    """How many times each head's queries see each key, in plain Python."""
    count = math.ceil(length / reach.size)
    heads = []
    for of_head in drawn:
        table = [[0] * length for _ in range(length)]
        for query, row in enumerate(table):
            block = query // reach.size
            seen = Counter({0, block - 1, block, block + 1, count - 1})
            if block in (0, count - 1):
                seen = Counter(range(count))
            else:
                seen.update(of_head[block - 1])
            for key in range(length):
                row[key] = seen[key // reach.size]
        heads.append(table)
    return heads


@given(
    more=st.integers(1, 40),
    random=st.integers(0, 2),
    size=st.integers(1, 4),
    seed=st.one_of(st.none(), st.integers(0, 3)),
)
def test_blocks_are_their_definition(more: int, random: int, size: int, seed: int | None) -> None:
    """Without a seed, the first block stands for the random ones."""
    reach = Blocks(size, random, heads=2, positions=4096, seed=seed)
    length = (5 + 2 * random) * size + more
    position = torch.arange(length)
    laid = reach.over(length)
    found = laid.counts(position[:, None], position[None, :])
    inner = math.ceil(length / size) - 2
    if seed is None:
        drawn = [[[0] * random] * inner]
    else:
        drawn = random_blocks(inner + 2, size, random, 2, seed, 4096).tolist()
    assert found.tolist() == seen_by_definition(reach, length, drawn)
    allowed = laid.allows(position[:, None], position[None, :])
    assert torch.equal(allowed, found > 0)
    assert not laid.covers(length, length)
    assert reach.over(length - more) == Full()


@given(reach=reaches, length=st.integers(1, 12))
def test_covers_tells_exactly_whether_every_pair_is_allowed(reach: Reach, length: int) -> None:
    assert reach.covers(length, length) == all(map(all, square(reach, length)))


@given(reach=reaches, length=st.integers(1, 12))
def test_every_query_sees_itself(reach: Reach, length: int) -> None:
    mask = square(reach, length)
    assert all(mask[i][i] for i in range(length))
