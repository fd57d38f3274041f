"""What is remembered, and what is forgotten."""

from __future__ import annotations

from array import array

import numpy as np

from manyheads.serve.cache import AnswerCache
from manyheads.serve.items import Answer, Operation, Question
from manyheads.text import Encoded, Piece


def question(*ids: int, name: str = "embed", text: str | None = None, segment: int = 0) -> Question:
    piece = Piece(array("i", ids), array("B", [segment] * len(ids)), None)
    return Question(Operation(name), Encoded((piece,), len(ids), 0), text)


def test_equal_questions_are_answered_and_others_not() -> None:
    cache = AnswerCache(10_000)
    cache.put(question(1, 2), Answer("said", [np.arange(3)]))
    found = cache.get(question(1, 2))
    assert found is not None and found.said == "said"
    np.testing.assert_array_equal(found.arrays[0], np.arange(3))
    for other in (
        question(1, 3),
        question(1, 2, name="tokens"),
        question(1, 2, text="a"),
        question(1, 2, segment=1),
    ):
        assert cache.get(other) is None
    assert cache.hits == 1


def test_the_least_recently_asked_is_forgotten() -> None:
    answer = Answer(None, [np.zeros(1000, np.float32)])
    cache = AnswerCache(3 * 4300)
    for number in range(3):
        cache.put(question(number), answer)
    assert cache.get(question(0)) is not None
    cache.put(question(3), answer)
    known = [number for number in range(4) if cache.get(question(number)) is not None]
    assert known == [0, 2, 3] and cache.bytes <= cache.limit


def test_an_answer_does_not_hold_the_message_that_it_came_in() -> None:
    message = np.zeros(1_000_000, np.float32)
    cache = AnswerCache(100_000)
    cache.put(question(1), Answer(None, [message[:10]]))
    found = cache.get(question(1))
    assert found is not None and found.arrays[0].base is None


def test_nothing_is_remembered_where_there_is_no_room() -> None:
    for cache in (AnswerCache(0), AnswerCache(100)):
        cache.put(question(1), Answer(None, [np.zeros(1000)]))
        assert cache.get(question(1)) is None and cache.bytes == 0
