"""Who goes next."""

from __future__ import annotations

import asyncio
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.serve.items import Item, Lane, Operation, Question
from manyheads.serve.lanes import Lanes
from manyheads.text import Encoded, Piece

EMBED, OTHER = Operation("embed"), Operation("embed", (("uncounted", 2),))


@pytest.fixture(autouse=True)
def loop():
    """Futures need one; nothing here runs in it."""
    made = asyncio.new_event_loop()
    asyncio.set_event_loop(made)
    yield made
    asyncio.set_event_loop(None)
    made.close()


def item(
    tokens: int, since: float = 0, lane: Lane = Lane.INTERACTIVE, operation: Operation = EMBED
) -> Item:
    piece = Piece(array("i", [0] * tokens), array("B", [0] * tokens), None)
    question = Question(operation, Encoded((piece,), tokens, 0))
    return Item(lane, since, asyncio.get_event_loop().create_future(), question)


def lanes(*items: Item) -> Lanes:
    made = Lanes()
    for one in items:
        made.add(one)
    return made


def tokens(made: Lanes) -> int:
    return sum(map(made.tokens, Lane))


def test_a_batch_is_the_oldest_and_those_about_as_long() -> None:
    items = [item(5, 0), item(90, 1), item(6, 2), item(4, 3), item(50, 4)]
    made = lanes(*items)
    assert made.take(20) == [items[3], items[0], items[2]]  # by length, for equal neighbours
    assert tokens(made) == 140
    assert made.take(20) == [items[1]]  # longer than a batch: by itself
    assert made.take(20) == [items[4]]
    assert made.take(20) == [] and not made and tokens(made) == 0


def test_operations_do_not_mix() -> None:
    items = [item(5, 0), item(5, 1, operation=OTHER), item(5, 2), item(5, 3, operation=OTHER)]
    made = lanes(*items)
    assert set(made.take(100)) == {items[0], items[2]}
    assert set(made.take(100)) == {items[1], items[3]}


def test_people_go_before_programs_and_programs_go_too() -> None:
    made = lanes(*(item(10, i, Lane.BULK) for i in range(8)))
    for one in (item(10, 100 + i) for i in range(8)):
        made.add(one)
    order = [made.take(10)[0].lane for _ in range(16)]
    assert order[:8].count(Lane.BULK) == 2  # one batch of four
    assert order[:3] == [Lane.INTERACTIVE] * 3
    assert order.count(Lane.BULK) == 8


def test_who_waits_no_more_is_left_out() -> None:
    items = [item(5, 0), item(5, 1), item(5, 2)]
    made = lanes(*items)
    for one in items[:2]:
        one.answer.cancel()
    assert made.take(100) == [items[2]]
    made.add(gone := item(5))
    gone.answer.cancel()
    assert made.take(100) == [] and tokens(made) == 0 and not made


def test_what_is_sealed_goes_first_and_as_it_is() -> None:
    items = [item(50, 0), item(50, 1), item(5, 2)]
    made = lanes(items[2])
    made.seal(items[:2])
    assert len(made) == 3 and tokens(made) == 105
    assert made.take(10) == items[:2]
    assert made.take(10) == [items[2]]


def test_drained_lanes_are_empty() -> None:
    items = [item(5), item(7, lane=Lane.BULK), item(3)]
    made = lanes(*items[:2])
    made.seal(items[2:])
    assert set(made.drain()) == set(items)
    assert not made and tokens(made) == 0 and made.take(10) == []


@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.sampled_from(Lane), st.sampled_from([EMBED, OTHER])),
        max_size=40,
    ),
    st.integers(1, 100),
)
def test_everybody_goes_once(asked: list[tuple[int, Lane, Operation]], budget: int) -> None:
    asyncio.set_event_loop(own := asyncio.new_event_loop())
    items = [item(n, i, lane, operation) for i, (n, lane, operation) in enumerate(asked)]
    made = lanes(*items)
    seen: list[Item] = []
    while batch := made.take(budget):
        assert len({one.question.operation for one in batch}) == 1
        assert len({one.lane for one in batch}) == 1
        assert len(batch) == 1 or sum(one.tokens for one in batch) <= budget
        seen += batch
    assert len(seen) == len(items) and set(seen) == set(items) and tokens(made) == 0
    own.close()
