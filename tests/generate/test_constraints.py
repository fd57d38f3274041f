"""Whatever is asked for together, every output of every strategy keeps to it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given
from hypothesis import settings as profile
from hypothesis import strategies as st
from tests.generate.keeping import check, places
from tests.generate.small import (
    DECODERS,
    ENCODER_DECODERS,
    END,
    START,
    WORDS,
    request,
    search_by,
    spell,
    writer,
)
from torch import Tensor

from manyheads.errors import GenerationError
from manyheads.generate import Beam, Finish, Greedy, Request, Sample, Settings, Stopping, generate
from manyheads.generate.constraints import Rules, repeats
from manyheads.generate.phrases import completions
from manyheads.generate.room import need
from manyheads.generate.settings import Strategy

STRATEGIES: list[tuple[Strategy, int]] = [
    (Greedy(), 1),
    (Beam(1), 1),
    (Beam(4, 1.0), 4),
    (Beam(3, 0.0, stopping=Stopping.EXHAUSTED), 2),
    (Beam(4, groups=2, diversity=0.7), 4),
    (Sample(temperature=1.5), 3),
    (Sample(top_k=4, top_p=0.8), 2),
]

words = st.integers(min(WORDS), max(WORDS))
phrases = st.lists(st.lists(words, min_size=1, max_size=3).map(tuple), max_size=3).map(tuple)
vocabularies = st.none() | st.frozensets(words, min_size=7)


@st.composite
def all_settings(draw: st.DrawFn) -> Settings:
    """Settings that contradict neither themselves nor the model."""
    strategy, n_best = draw(st.sampled_from(STRATEGIES))
    most = draw(st.integers(2, 12))
    try:
        return Settings(
            strategy,
            n_best,
            max_tokens=most,
            min_tokens=draw(st.integers(0, most)),
            no_repeat_ngram=draw(st.sampled_from([0, 0, 1, 2, 3])),
            repetition_penalty=draw(st.sampled_from([1.0, 1.3])),
            banned=draw(phrases),
            required=draw(phrases),
            vocabulary=draw(vocabularies),
            prefix=draw(st.lists(words, max_size=2).map(tuple)),
            seed=draw(st.integers(0, 9)),
        )
    except GenerationError:
        assume(False)
        raise


@pytest.mark.parametrize("name", [*DECODERS, *ENCODER_DECODERS])
@profile(max_examples=25)
@given(settings=all_settings(), length=st.integers(1, 6))
def test_every_output_keeps_to_all_that_is_asked_for(
    name: str, settings: Settings, length: int
) -> None:
    ours = writer(name)
    asked = request(ours, length, settings)
    try:
        asked.check(ours, "it")
    except GenerationError:
        assume(False)
    try:
        output = generate(ours, [asked])[0]
    except GenerationError as error:
        # Few words that may not recur, or none of which parts two phrases, may all be used up.
        assert "forbid every token" in str(error)
        assert settings.vocabulary is not None or settings.no_repeat_ngram
    else:
        check(output, asked)


@pytest.mark.parametrize(("strategy", "n_best"), STRATEGIES)
@pytest.mark.parametrize("name", ["llama", "t5"])
def test_phrases_that_fill_an_output(name: str, strategy: Strategy, n_best: int) -> None:
    """Required ones that overlap, of which one begins within another, and that fill it exactly."""
    ours = writer(name)
    asked = []
    for required in (
        ((3, 4, 5), (5, 6)),
        ((3, 3, 4), (3, 4)),
        ((3, 4), (3, 4, 5), (3,)),
        ((9,), (8,), (7,)),
        ((3, 4, 3, 5), (3, 4, 3, 4)),
    ):
        size = sum(map(len, required))
        for room in (size, size + 1, size + 5):
            settings = Settings(strategy, n_best, max_tokens=room, required=required)
            asked.append(request(ours, 4, settings))
    for one, output in zip(asked, generate(ours, asked), strict=True):
        check(output, one)


@pytest.mark.parametrize(("strategy", "n_best"), STRATEGIES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_banned_phrases_across_required_ones(strategy: Strategy, n_best: int, seed: int) -> None:
    """Almost every word is banned before 5: it may only come first, or behind 3 or 4."""
    ours = writer("llama", seed)
    banned = tuple((word, 5) for word in WORDS if word not in (3, 4))
    asked = []
    for room in (3, 4, 5, 8):
        settings = Settings(
            strategy, n_best, max_tokens=room, required=((5, 6), (7,)), banned=banned
        )
        asked.append(request(ours, 4, settings))
    for one, output in zip(asked, generate(ours, asked), strict=True):
        check(output, one)


@pytest.mark.parametrize(("strategy", "n_best"), STRATEGIES)
def test_many_phrases_are_all_written_where_the_room_is_enough(
    strategy: Strategy, n_best: int
) -> None:
    """Eight phrases are more than all orders are tried of; a third of them may not meet."""
    required = tuple((word, word) for word in range(2, 10))
    banned = tuple(
        (a, b) for a in range(2, 10) for b in range(2, 10) if a != b and (a + b) % 3 == 1
    )
    ours = writer("llama")
    for spare in (0, 1, 5):
        room = need((), required, banned).enough + spare
        settings = Settings(strategy, n_best, max_tokens=room, required=required, banned=banned)
        asked = request(ours, 4, settings)
        check(generate(ours, [asked])[0], asked)


def test_what_is_found_out_to_be_too_late_ends_with_an_error() -> None:
    """Each phrase has one that may stand before it, but all in one row would be a circle."""
    required = tuple((word,) for word in range(2, 9))
    circles = {2: 3, 3: 4, 4: 2, 5: 6, 6: 7, 7: 8, 8: 5}
    banned = tuple((a, b) for a in circles for b in circles if circles[a] != b and a != b)
    settings = Settings(max_tokens=7, required=required, banned=banned)
    ours = writer("llama")
    request(ours, 3, settings).check(ours, "it")
    with pytest.raises(GenerationError, match="constraints forbid every token"):
        generate(ours, [request(ours, 3, settings)])
    enough = replace(settings, max_tokens=8)
    check(generate(ours, [request(ours, 3, enough)])[0], request(ours, 3, enough))


@pytest.mark.parametrize("strategy", [Beam(2), Beam(4, groups=2, diversity=0.1)])
def test_a_beam_that_cannot_go_on_is_left_to_die(strategy: Beam) -> None:
    """Behind 2, which is more probable, all is banned; what begins with 3 goes on."""
    banned = tuple((2, token) for token in range(5))
    settings = Settings(strategy, max_tokens=3, banned=banned)
    outputs = search_by(lambda _: torch.tensor([-9.0, -9.0, 2.0, 1.0, -9.0]), settings).outputs
    assert outputs[0].tokens == (3, 3, 2)
    assert all(2 not in one.tokens[:-1] for one in outputs)


def test_nothing_left_to_write() -> None:
    for strategy in (Greedy(), Beam(2), Beam(2, groups=2), Sample()):
        settings = Settings(
            strategy, max_tokens=5, min_tokens=4, vocabulary=frozenset({3, 4}), no_repeat_ngram=1
        )
        message = r"request 1, token 3: the constraints forbid every token"
        with pytest.raises(GenerationError, match=message):
            generate(writer("gpt2"), [request(writer("gpt2"), 3), Request([5], None, settings)])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("required", [((2, 3),), ((4,), (2,)), ((4, 2), (3,)), ((0, 0, 4),)])
def test_enough_beams_find_the_best_place(seed: int, required: tuple[tuple[int, ...], ...]) -> None:
    logits = torch.randn(6, 6, 5, generator=torch.Generator().manual_seed(seed)) * 2

    def by(written: tuple[int, ...]) -> Tensor:
        return logits[len(written), written[-1] if written else 5]

    def total(tokens: tuple[int, ...]) -> float:
        steps = range(len(tokens))
        return sum(float(by(tokens[:at]).log_softmax(0)[tokens[at]]) for at in steps)

    outputs = [
        tokens
        for length in range(1, 6)
        for tokens in itertools.product(range(5), repeat=length)
        if END not in tokens[:-1] and (tokens[-1] == END or length == 5)
        if all(places(tokens, phrase) for phrase in required)
    ]
    best = max(outputs, key=total)
    beam = Beam(600, 0.0, stopping=Stopping.EXHAUSTED)
    found = search_by(by, Settings(beam, max_tokens=5, required=required)).outputs[0]
    assert (found.tokens, found.score) == (best, pytest.approx(total(best)))


def test_beams_find_better_places_than_the_end() -> None:
    """Greedy search begins what is required when there is no room left; eight beams look ahead."""
    gains = []
    for name, seed in itertools.product(("gpt2", "llama", "t5"), range(4)):
        ours = writer(name, seed)
        settings = Settings(max_tokens=10, min_tokens=9, required=((3, 8), (5,)))
        late = generate(ours, [request(ours, 5, settings)])[0].best
        wide = replace(settings, strategy=Beam(8, 0.0))
        early = generate(ours, [request(ours, 5, wide)])[0].best
        gains.append(sum(early.log_probs) - sum(late.log_probs))
    assert sum(gain > 0 for gain in gains) >= 10
    assert sum(gains) / len(gains) > 1.0


def test_banned_and_repeated_tokens() -> None:
    assert set(repeats([3, 4, 5, 3, 4], 3)) == {5}
    assert set(repeats([3, 4, 5, 3, 4], 2)) == {5}
    assert set(repeats([3, 4, 3, 5, 3], 2)) == {4, 5}
    assert set(repeats([3, 4], 1)) == {3, 4}
    assert set(repeats([3, 3], 3)) == set(repeats([3, 4], 0)) == set()
    phrases = ((3,), (4, 5), (5, 4, 6), (9, 8))
    assert set(completions([5, 4], phrases)) == {3, 5, 6}
    assert set(completions([], phrases)) == {3}


def test_what_is_demanded() -> None:
    rules = Rules(Settings(max_tokens=4, required=((3, 4), (5,))), frozenset({END}))
    assert rules.demanded((), set()) is None
    assert rules.demanded((9,), set()) == [3, 5]
    assert rules.demanded((9,), {3}) == [5]
    assert rules.demanded((9,), {3, 5}) == [3, 5]
    assert rules.demanded((9, 3), set()) == [4]
    assert rules.demanded((3,), set()) == [3, 4, 5]  # 3 3 4 5 would do, and 3 5 3 4
    assert rules.demanded((3, 4), set()) is None
    assert rules.demanded((5, 9), set()) == [3]
    assert rules.demanded((3, 4, 9), set()) == [5]
    assert rules.demanded((3, 4, 5), set()) is None


def test_required_words_of_an_encoder_decoder_count_in_its_output_alone() -> None:
    ours = writer("bart")
    settings = Settings(max_tokens=6, required=((START,), (5, 6)))
    asked = Request([START], [5, 6, 7], settings)
    check(generate(ours, [asked])[0], asked)


@pytest.mark.parametrize(("strategy", "n_best"), STRATEGIES)
def test_a_string_stops_whatever_is_still_to_come(strategy: Strategy, n_best: int) -> None:
    """Either the phrase is there, or the string that stops came before."""
    ours = writer("llama")
    stops = ("d", "k", "gh")
    settings = Settings(
        strategy, n_best, max_tokens=9, min_tokens=5, required=((3, 4),), stop=stops
    )
    for output in generate(ours, [request(ours, length, settings) for length in range(1, 9)]):
        for one in output.hypotheses:
            text = spell(one.tokens)
            stopped = any(stop in text for stop in stops)
            assert stopped == (one.finish is Finish.STOP)
            assert stopped or places(one.tokens, (3, 4))
            assert not any(stop in spell(one.tokens[:-1]) for stop in stops)
