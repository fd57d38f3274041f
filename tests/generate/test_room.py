"""How much room required phrases need beside banned ones, against all texts that there are."""

from __future__ import annotations

import itertools
import time
from functools import cache

import pytest
from hypothesis import assume, example, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from manyheads.generate import room
from manyheads.generate.phrases import Phrase, holds
from manyheads.generate.room import ELSE, fits, need

LONGEST = 6  # texts that are all looked at

letters = st.integers(2, 4)
phrases = st.lists(st.lists(letters, min_size=1, max_size=3).map(tuple), max_size=3)
banned_phrases = st.lists(st.lists(letters, min_size=1, max_size=4).map(tuple), max_size=4)


@cache
def texts(length: int) -> list[Phrase]:
    return list(itertools.product((2, 3, 4, ELSE), repeat=length))


def shortest(tokens: Phrase, required: list[Phrase], banned: list[Phrase]) -> int:
    """How many tokens are needed behind some others, found among all texts."""
    first = len(tokens) + 1
    for length in range(LONGEST + 1):
        for text in texts(length):
            whole = (*tokens, *text)
            spoilt = any(
                whole[end - len(ban) : end] == ban
                for ban in banned
                for end in range(max(first, len(ban)), len(whole) + 1)
            )
            if not spoilt and all(holds(whole, phrase) for phrase in required):
                return length
    return LONGEST + 1


@profile(deadline=None)
@given(st.lists(letters, max_size=4).map(tuple), phrases, banned_phrases)
@example((), [(3,), (4,), (2,)], [(3, 4, 2), (3, 2, 4), (2, 3, 4)])  # across three
@example((3,), [(3, 4), (4, 2)], [])  # what overlaps
@example((2, 3, 3), [(3, 3, 4)], [(2, 3, 3, 4)])  # begun again later
def test_it_is_the_shortest_of_all_texts(
    tokens: Phrase, required: list[Phrase], banned: list[Phrase]
) -> None:
    assume(not any(holds(phrase, ban) for phrase in required for ban in banned))
    found = need(tokens, required, tuple(banned))
    assert found.least == found.enough
    assert min(found.least, LONGEST + 1) == shortest(tokens, required, banned)


pairs = st.tuples(st.integers(2, 6), st.integers(2, 6))


@given(
    st.lists(letters, max_size=3).map(tuple),
    st.lists(pairs, min_size=6, max_size=6, unique=True),
    st.lists(pairs, max_size=12),
)
def test_bounds_of_many_phrases_enclose_the_best_order(
    tokens: Phrase, required: list[Phrase], banned: list[Phrase]
) -> None:
    """Nothing that can be done is refused, and what is said to be enough is."""
    banned = [ban for ban in banned if ban not in required]
    found = need(tokens, required, tuple(banned))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "_FEW", len(required))
        best = need(tokens, required, tuple(banned))
    assert best.least == best.enough
    assert found.least <= best.least <= found.enough


def test_what_fits() -> None:
    assert fits((), ((3, 4), (5,)), (), 3) and not fits((), ((3, 4), (5,)), (), 2)
    assert fits((3,), ((3, 4), (5,)), (), 2) and not fits((3,), ((3, 4), (5,)), (), 1)
    assert fits((3, 4), ((3, 4),), (), 0) and not fits((3, 4), ((3, 4),), (), -1)
    # 5 3 is banned: 3 4 5 fits, 5 3 4 does not, 5 and another and 3 4 do again.
    assert fits((5,), ((3, 4),), ((5, 3),), 3) and not fits((5,), ((3, 4),), ((5, 3),), 2)
    assert fits((), ((5,), (3, 4)), ((5, 3),), 3)
    assert not fits((), ((5,), (3, 4)), ((5, 3), (4, 5)), 3)
    assert fits((), ((5,), (3, 4)), ((5, 3), (4, 5)), 4)


def test_phrases_that_may_not_meet() -> None:
    """Seven phrases no two of which may meet: what is known of some is not found out again."""
    few = range(2, 9)
    required = tuple((word, word) for word in few)
    banned = tuple((a, b) for a in few for b in few if a != b)
    assert not fits((), required, banned, 14 + 5)
    assert fits((), required, banned, 14 + 6)


def test_many_phrases_take_no_time() -> None:
    """Twelve phrases, most of which may not meet, and as many tokens as it takes to write them."""
    required = tuple((word, 100 + word) for word in range(2, 14))
    banned = tuple(
        (100 + a, b) for a in range(2, 14) for b in range(2, 14) if a != b and (a * b) % 5
    )
    written: list[int] = []
    started = time.perf_counter()
    for phrase in required:
        for token in (ELSE, *phrase):
            assert fits(written, required, banned, 60)
            written.append(token)
    assert need(written, required, banned) == (0, 0)
    assert time.perf_counter() - started < 1.0  # 37 tokens, of which each takes milliseconds
