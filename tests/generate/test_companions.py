"""What goes wrong with one request ends that request: the others are written as without it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
import torch
from tests.generate.small import END, START, WORDS, spell, writer
from tests.generate.test_engine import damaged, same

from manyheads.errors import GenerationError
from manyheads.generate import (
    Beam,
    Draft,
    Engine,
    Greedy,
    Lookup,
    News,
    Request,
    Sample,
    Settings,
    Writer,
    generate,
)

BAD = 7  # the token whose vector is not numbers, in a damaged model
STRATEGIES = {
    "greedy": Settings(Greedy(), max_tokens=10),
    "beam": Settings(Beam(3), 2, max_tokens=10),
    "sample": Settings(Sample(temperature=1.3), 2, max_tokens=10, seed=3),
}
GUESSES: dict[str, Callable[[Writer], Draft | Lookup | None]] = {
    "alone": lambda _: None,
    "draft": Draft,
    "lookup": lambda _: Lookup(match=2),
}


def asked(ours: Writer, words: Sequence[int], settings: Settings) -> Request:
    return Request([START], words, settings) if ours.reads else Request(words, None, settings)


def raises(tokens: Sequence[int]) -> str:
    """Cannot spell `a`."""
    if 2 in tokens:
        raise KeyError("no letter for 2")
    return spell(tokens)


@dataclass(frozen=True)
class Trouble:
    """A request that ends with an error, and a model by which; its twin, of another, does not."""

    bad: Callable[[Writer], Writer]
    request: Settings
    words: tuple[int, ...]
    message: str
    twin: Settings | None = None


def speechless(ours: Writer) -> Writer:
    return Writer(ours.transformer, ours.ends, raises)


TWO = frozenset({2})
TROUBLES = {
    "NaN in what is read": Trouble(
        damaged, Settings(max_tokens=8, min_tokens=8), (3, BAD, 4), "token 1: the logits are not"
    ),
    "NaN in what is written": Trouble(
        damaged,
        Settings(Beam(2), max_tokens=8, min_tokens=8, prefix=(3, 4), required=((BAD, 5, 6, 4, 3),)),
        (3, 5),
        "the logits are not",
    ),
    "no token is left": Trouble(
        lambda ours: ours,
        Settings(max_tokens=8, min_tokens=8, vocabulary=frozenset({2, 3, 4}), no_repeat_ngram=1),
        (6, 5),
        "token 4: the constraints forbid every token",
        Settings(max_tokens=8, min_tokens=8, vocabulary=frozenset({2, 3, 4})),
    ),
    "what spells raises": Trouble(
        speechless,
        Settings(max_tokens=6, prefix=(3, 4), required=((8, 9, 2),), stop=("z",)),
        (6, 5),
        ": KeyError",
    ),
}


def run(
    ours: Writer, requests: Sequence[Request], guess: str, after: int | None = None
) -> tuple[dict[int, list[News]], int]:
    """Write for all; request 1 ends by itself, or is cancelled after some steps.

    Return the news of each request, and after how many steps request 1 was over.
    """
    engine = Engine(ours, max_rows=64, draft=GUESSES[guess](ours))
    told: dict[int, list[News]] = {engine.add(one): [] for one in requests}
    steps, left = 0, 0
    while engine.busy:
        steps += 1
        for news in engine.step():
            told[news.ticket].append(news)
            left = steps if news.is_last and news.ticket == 1 else left
        if steps == after:
            engine.cancel(1)
    return told, left


@pytest.mark.parametrize("guess", GUESSES)
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
@pytest.mark.parametrize("settings", STRATEGIES.values(), ids=STRATEGIES)
@pytest.mark.parametrize("name", ["gpt2", "llama", "t5"])
def test_companions_of_a_bad_request_are_written_as_without_it(
    name: str, settings: Settings, trouble: Trouble, guess: str
) -> None:
    """To the bit as beside a sound one of the same shape that is cancelled after the same step.

    Guesses have other shapes where another text was written, and sums are rounded in another order.
    """
    sound = writer(name)
    settings = replace(settings, banned=((BAD,),))
    good = [asked(sound, words, settings) for words in ((3, 9, 4, 5), (8,), (6, 10, 12))]
    bad = asked(sound, trouble.words, trouble.request)
    twin = replace(bad, settings=trouble.twin or bad.settings)
    found, left = run(trouble.bad(sound), [good[0], bad, *good[1:]], guess)
    expected, _ = run(sound, [good[0], twin, *good[1:]], guess, after=left)

    error = found[1][-1].error
    assert error is not None and trouble.message in str(error)
    assert str(error).startswith("request 1, token ")
    assert not any(news.is_last for news in found[1][:-1])
    others = [found[ticket] for ticket in (0, 2, 3)]
    if guess == "alone":
        assert others == [expected[ticket] for ticket in (0, 2, 3)]
    outputs = [news[-1].result() for news in others]
    assert all(map(same, outputs, generate(sound, good)))


def test_what_raises_where_tokens_are_spelled_is_the_cause() -> None:
    ours = speechless(writer("gpt2"))
    settings = Settings(max_tokens=4, vocabulary=TWO, min_tokens=4, stop=("z",))
    with pytest.raises(GenerationError, match=r"request 0, token 1: KeyError .*spells") as found:
        generate(ours, [Request([3], None, settings)])
    assert isinstance(found.value.__cause__, KeyError)
    assert "in raises" in "".join(found.value.__notes__)  # where it was


def test_tokens_that_are_certain_are_told_before_an_error() -> None:
    engine = Engine(writer("gpt2"), draft=Draft(writer("gpt2")))
    stuck = TROUBLES["no token is left"].request
    engine.add(Request([6, 5], None, stuck))
    news = []
    while engine.busy:
        news += engine.step()
    assert [one.is_last for one in news] == [False] * (len(news) - 1) + [True]
    assert sorted(token for one in news for token in one.tokens) == [2, 3, 4]
    with pytest.raises(GenerationError, match="token 4"):
        news[-1].result()


@pytest.mark.parametrize("name", ["gpt2", "bart"])
def test_what_cannot_join_is_no_news_to_the_others(name: str) -> None:
    ours = writer(name)
    fine = asked(ours, [3, 4, 5], Settings(max_tokens=8))
    wrong = [
        asked(ours, [], fine.settings),
        asked(ours, [3] * 65, fine.settings),
        asked(ours, [3, 99], fine.settings),
        replace(fine, settings=Settings(max_tokens=8, banned=((99,),))),
    ]
    engine = Engine(ours)
    tickets = [engine.add(fine)]
    news = engine.step()
    for one in wrong:
        with pytest.raises(GenerationError, match="request 1"):
            engine.add(one)
    tickets.append(engine.add(fine))
    while engine.busy:
        news += engine.step()
    assert tickets == [0, 1]
    results = [one.result() for one in news if one.is_last]
    assert len(results) == 2 and all(same(one, generate(ours, [fine])[0]) for one in results)


def test_a_bad_request_that_waited_ends_when_it_is_let_in() -> None:
    """The one before it is told of in the same step, the one behind it goes on."""
    ours = damaged(writer("gpt2"))
    settings = Settings(max_tokens=3, min_tokens=3, banned=((BAD,),))
    engine = Engine(ours, max_rows=1)
    for words in ([3, 4], [BAD], [5]):
        engine.add(asked(ours, words, settings))
    news = [engine.step() for _ in range(3)][-1]
    assert [(one.ticket, one.output is None, one.error is None) for one in news] == [
        (0, False, True),
        (1, True, False),
    ]
    assert engine.tickets == [2]
    assert [one.ticket for one in rest(engine)] == [2, 2, 2]


@contextmanager
def failing(ours: Writer, calls: int) -> Iterator[None]:
    """Let memory run out in one call of the decoder, after so many that go well."""
    left = iter(range(calls, -1000, -1))

    def fail(*_: object) -> None:
        if next(left) == 0:
            raise torch.OutOfMemoryError("no memory left")

    assert ours.transformer.decoder is not None
    hook = ours.transformer.decoder.blocks[-1].register_forward_pre_hook(fail)
    try:
        yield
    finally:
        hook.remove()


def rest(engine: Engine) -> list[News]:
    news = []
    while engine.busy:
        news += engine.step()
    return news


@pytest.mark.parametrize("guess", GUESSES)
@pytest.mark.parametrize("name", ["gpt2", "t5"])
def test_all_in_a_pass_that_fails_are_told_and_the_others_go_on(name: str, guess: str) -> None:
    """Two are in work and one waits when memory runs out in decoding, halfway through a model."""
    ours = writer(name)
    requests = [asked(ours, words, Settings(max_tokens=8)) for words in ([3, 4], [5], [6, 8, 9])]
    requests[1] = replace(requests[1], name="line 7")
    engine = Engine(ours, max_rows=2, draft=GUESSES[guess](writer(name, 2)))
    for one in requests:
        engine.add(one)
    engine.step()
    with failing(ours, 0), pytest.raises(torch.OutOfMemoryError):
        engine.step()
    assert engine.busy and engine.tickets == [0, 1, 2]
    news = engine.step()
    assert [(one.ticket, one.is_last) for one in news] == [(0, True), (1, True), (2, False)]
    for one, called in zip(news, ("request 0", "line 7"), strict=False):
        assert str(one.error).startswith(f"{called}: OutOfMemoryError")
        assert one.error is not None and one.error.__traceback__ is None  # no tensors held
    assert engine.tickets == [2]
    assert same(rest(engine)[-1].result(), generate(ours, [requests[2]])[0])


def test_those_in_work_go_on_where_memory_runs_out_for_what_is_let_in() -> None:
    ours = writer("gpt2")
    requests = [asked(ours, words, Settings(max_tokens=8)) for words in ([3, 4], [5] * 20)]
    engine = Engine(ours)
    engine.add(requests[0])
    told = engine.step()
    engine.add(requests[1])
    with failing(ours, 1), pytest.raises(torch.OutOfMemoryError):
        engine.step()
    assert engine.tickets == [0, 1]
    news = rest(engine)
    assert [one.ticket for one in news if one.is_last] == [1, 0]
    told += [one for one in news if one.ticket == 0]
    expected = generate(ours, [requests[0]])[0]
    assert same(told[-1].result(), expected)
    assert sum((one.tokens for one in told), ()) == expected.best.tokens  # none was lost


def test_an_engine_that_is_cleared_is_as_new() -> None:
    ours = writer("t5")
    engine = Engine(ours, max_rows=2)
    requests = [asked(ours, words, Settings(max_tokens=8)) for words in ([3, 4], [5], [6, 8, 9])]
    for one in requests:
        engine.add(one)
    engine.step()
    with failing(ours, 0), pytest.raises(torch.OutOfMemoryError):
        engine.step()
    engine.cancel(1)
    assert engine.tickets == [0, 2]
    assert engine.clear() == [0, 2]
    assert not engine.busy and engine.step() == [] and engine.clear() == []
    assert engine.add(requests[0]) == 3
    assert same(rest(engine)[-1].result(), generate(ours, [requests[0]])[0])


def held() -> int:
    """How many bytes all tensors hold that there are; packed weights of others have no storage."""
    gc.collect()
    tensors = [
        one
        for one in gc.get_objects()
        if issubclass(type(one), torch.Tensor) and one.layout == torch.strided
    ]
    storages = {one.untyped_storage().data_ptr(): one.untyped_storage() for one in tensors}
    return sum(storage.nbytes() for storage in storages.values())


@pytest.mark.parametrize("guess", ["alone", "draft"])
@pytest.mark.parametrize("name", ["llama", "t5"])
def test_what_is_cancelled_gives_its_memory_back(name: str, guess: str) -> None:
    """A long one leaves: what the short ones hold is all that is left, and at last nothing."""
    ours, settings = writer(name), Settings(max_tokens=24, min_tokens=24)
    engine = Engine(ours, draft=GUESSES[guess](writer(name, 2)))
    bias = ours.reads  # T5 keeps a bias as long as there is work
    before = held()
    short = [engine.add(asked(ours, [3, 4], settings)) for _ in range(2)]
    engine.step(), engine.step()
    alone = held() - before
    long = [engine.add(asked(ours, [5] * 40, settings)) for _ in range(6)]
    engine.step(), engine.step()
    together = held() - before
    for ticket in long:
        engine.cancel(ticket)
    left = held() - before
    assert alone < together / 4 and left < 2 * alone + (4 * 4 * 64 * 64 if bias else 0)
    for ticket in short:
        engine.cancel(ticket)
    assert held() <= before


def test_a_failed_pass_and_its_errors_hold_no_memory() -> None:
    ours = writer("t5")
    engine = Engine(ours)
    before = held()
    for _ in range(3):
        engine.add(asked(ours, [3, 4] * 10, Settings(max_tokens=8)))
    engine.step()
    with failing(ours, 0), pytest.raises(torch.OutOfMemoryError):
        engine.step()
    news = engine.step()
    assert len(news) == 3 and held() <= before


@pytest.mark.parametrize("name", ["gpt2", "t5"])
def test_an_error_of_a_draft_is_none_of_the_request(name: str) -> None:
    """The draft knows no numbers, or not what may follow; what is written is the model's to say."""
    ours, settings = writer(name), Settings(max_tokens=12, min_tokens=12, banned=((BAD,),))
    tight = Settings(
        max_tokens=8, min_tokens=7, vocabulary=frozenset({2, 3, 4, 5}), no_repeat_ngram=2
    )
    requests = [
        asked(ours, [3, BAD, 4], settings),
        asked(ours, [5, 6], settings),
        asked(ours, [8], tight),
    ]
    expected = generate(ours, requests)
    guessed = generate(ours, requests, draft=Draft(damaged(ours)))
    assert all(map(same, guessed, expected))
    guessed = generate(ours, requests, draft=Draft(writer(name, 5), 7))
    assert all(map(same, guessed, expected))


def test_a_lone_beam_may_spread_again() -> None:
    """One word is all that may come first, so that one path lives, and its guess is right."""
    ours = writer("llama")
    for beam in (Beam(1), Beam(3), Beam(4, groups=2)):
        settings = Settings(beam, max_tokens=10, required=((4, 5, 6), (8, 9)), min_tokens=2)
        narrow = replace(settings, required=((4, 5, 6, 8, 9, 3, 2, 10, 11),))
        requests = [asked(ours, [3, 4, WORDS[0]], one) for one in (settings, narrow)]
        plain = generate(ours, requests)
        assert all(map(same, generate(ours, requests, draft=Draft(ours, 4)), plain))
        assert all(map(same, generate(ours, requests, draft=Lookup(match=2)), plain))
        assert END not in plain[0].best.tokens[:-1]
