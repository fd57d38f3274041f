"""Guessing from the text itself changes how fast a model writes, never what."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.generate.test_speculate import pair, requests_of

from manyheads.errors import GenerationError
from manyheads.generate import Beam, Engine, Greedy, Lookup, Sample, Strategy, Writer, generate
from manyheads.generate.lookup import following

__all__ = ["pair"]  # the fixture


@pytest.mark.parametrize(
    ("text", "match", "expected"),
    [
        ([1, 2, 3, 4, 1, 2], 2, [3, 4, 1]),
        ([1, 2, 3, 9, 2, 3, 4, 1, 2, 3], 3, [9, 2, 3]),  # the longer match wins
        ([5, 2, 3, 9, 2, 3, 4, 1, 2, 3], 3, [4, 1, 2]),  # else two, where they stood last
        ([7, 7, 7], 2, [7, 7, 7]),
        ([9, 1, 2, 1, 2], 2, [1, 2, 1]),
        ([1, 2, 3], 3, []),
        ([1], 3, []),
    ],
)
def test_what_followed_before(text: list[int], match: int, expected: list[int]) -> None:
    assert list(following(text, match, 3)) == expected
    assert list(following(text, match, 0)) == []


@pytest.mark.parametrize("strategy", [Greedy(), Sample(0.5, top_k=3)], ids=["greedy", "sample"])
def test_what_is_written_stays(pair: tuple[Writer, Writer], strategy: Strategy) -> None:
    model, _ = pair
    requests = [
        replace(one, prompt=[*one.prompt, 8, 9, 7, 8, 9]) for one in requests_of(model, strategy)
    ]
    plain = generate(model, requests)
    for draft in (Lookup(), Lookup(1, 2), Lookup(9, 4)):
        fast = generate(model, requests, draft=draft)
        assert [one.best.tokens for one in plain] == [one.best.tokens for one in fast]


def test_a_text_that_repeats_itself_takes_fewer_steps(pair: tuple[Writer, Writer]) -> None:
    model, _ = pair
    only = frozenset({8})  # what can be written repeats itself
    (request, *_) = requests_of(model, Greedy(), vocabulary=only, min_tokens=20)
    engine = Engine(model, draft=Lookup(4))
    engine.add(request)
    steps = 0
    while engine.busy:
        engine.step()
        steps += 1
    assert steps < 10


def test_beams_are_left_alone(pair: tuple[Writer, Writer]) -> None:
    model, _ = pair
    requests = requests_of(model, Beam(3), n_best=3)
    plain, fast = generate(model, requests), generate(model, requests, draft=Lookup())
    assert [one.hypotheses for one in plain] == [one.hypotheses for one in fast]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(GenerationError, match="tokens=0 is below 1"):
        Lookup(0)
    with pytest.raises(GenerationError, match="match=1 is below 2"):
        Lookup(match=1)
