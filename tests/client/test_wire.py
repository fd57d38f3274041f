"""How long lists are cut, and the words of the wire."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.client.wire import Truncate, inputs_of, parts


@given(st.lists(st.integers(0, 500_000), max_size=40), st.integers(1, 7))
def test_requests_are_as_large_as_they_may_be(sizes: list[int], most: int) -> None:
    cut = list(parts(sizes, most))
    rows = [row for part in cut for row in range(part.start, part.stop)]
    assert rows == list(range(len(sizes)))
    for part in cut:
        inside = sizes[part]
        assert len(inside) <= most
        assert len(inside) <= 1 or sum(inside) <= 400_000
    for before, behind in pairwise(cut):
        assert len(sizes[before]) == most or sum(sizes[before]) + sizes[behind.start] > 400_000


def test_the_words_are_those_of_the_service() -> None:
    pytest.importorskip("fastapi")
    from manyheads.serve.reading import Cut

    assert [one.value for one in Truncate] == [one.value for one in Cut]


def test_questions_are_asked_with_their_contexts() -> None:
    rows = [{"question": "who", "context": "me"}, {"question": "why", "context": "so"}]
    assert inputs_of("/v1/answer", ["who", "why"], ["me", "so"]) == {"inputs": rows}
    assert inputs_of("/v1/predict", ["a"], ["b"]) == {"inputs": ["a"], "pairs": ["b"]}
    assert inputs_of("/v1/embed", ["a"], None) == {"inputs": ["a"]}
