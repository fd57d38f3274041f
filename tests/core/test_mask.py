"""Masks: predicates over positions, and when none is needed."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from manyheads.core.mask import Causal, Full, GlobalWindow, Reach, Window

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


@given(reach=reaches, length=st.integers(1, 12))
def test_covers_tells_exactly_whether_every_pair_is_allowed(reach: Reach, length: int) -> None:
    assert reach.covers(length, length) == all(map(all, square(reach, length)))


@given(reach=reaches, length=st.integers(1, 12))
def test_every_query_sees_itself(reach: Reach, length: int) -> None:
    mask = square(reach, length)
    assert all(mask[i][i] for i in range(length))
