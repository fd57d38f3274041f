"""What a request gets does not depend on its companions, nor on when it came and who left."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache

import pytest
import torch
from tests.generate.keeping import check
from tests.generate.small import CONFIGS, request, writer

from manyheads.errors import GenerationError
from manyheads.generate import (
    Beam,
    Engine,
    Greedy,
    Hypothesis,
    Output,
    Request,
    Sample,
    Settings,
    Stopping,
    Writer,
    generate,
)

WAYS = [
    Settings(Greedy(), max_tokens=9, no_repeat_ngram=3),
    Settings(Beam(3, 1.0), 3, max_tokens=10),
    Settings(Sample(temperature=1.3), 2, max_tokens=8, seed=4),
    Settings(Beam(5, 0.0, stopping=Stopping.EXHAUSTED), 2, max_tokens=7, min_tokens=3),
    Settings(Beam(4, groups=2, diversity=0.8), 4, max_tokens=6, prefix=(5, 6)),
    Settings(Sample(top_k=5, top_p=0.9), max_tokens=11, repetition_penalty=1.2),
    Settings(Greedy(), max_tokens=8, required=((4, 9),), banned=((7,), (3, 3))),
    Settings(Beam(2, 2.0), max_tokens=12, required=((8,), (6, 5)), stop=("kk",)),
    Settings(Greedy(), max_tokens=1),
]


def mixed(ours: Writer) -> list[Request]:
    """Requests of every strategy, of lengths from 1 to 9."""
    return [request(ours, 1 + (4 * i) % 9, settings) for i, settings in enumerate(WAYS * 2)]


def same(one: Output, other: Output) -> bool:
    """Equal tokens and ends, in the same order; scores up to rounding."""
    return len(one.hypotheses) == len(other.hypotheses) and all(
        map(_same, one.hypotheses, other.hypotheses)
    )


def _same(one: Hypothesis, other: Hypothesis) -> bool:
    assert one.log_probs == pytest.approx(other.log_probs, abs=1e-4)
    assert one.score == pytest.approx(other.score, abs=1e-4)
    return (one.tokens, one.finish) == (other.tokens, other.finish)


@cache
def alone(name: str) -> tuple[Output, ...]:
    """What each of the mixed requests gets without companions."""
    ours = writer(name)
    return tuple(generate(ours, [one])[0] for one in mixed(ours))


@pytest.mark.parametrize("name", CONFIGS)
def test_batch_size_and_order(name: str) -> None:
    ours = writer(name)
    requests = mixed(ours)
    expected = alone(name)
    for one, output in zip(requests, expected, strict=True):
        check(output, one)
    for rows in (1, 6, 64):
        assert all(map(same, generate(ours, requests, max_rows=rows), expected))
    order = list(range(len(requests)))
    random.Random(3).shuffle(order)
    shuffled = generate(ours, [requests[i] for i in order], max_rows=11)
    assert all(same(output, expected[i]) for i, output in zip(order, shuffled, strict=True))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", CONFIGS)
def test_joining_and_leaving_at_any_step(name: str, seed: int) -> None:
    """Requests come in at random steps, some are cancelled; the pieces of news are the output."""
    ours = writer(name)
    requests = mixed(ours)
    expected = alone(name)
    dice = random.Random(f"{name} {seed}")
    engine = Engine(ours, max_rows=dice.choice([4, 9, 20]), prefill_tokens=dice.choice([1, 15]))
    coming = list(range(len(requests)))
    dice.shuffle(coming)
    tickets: dict[int, int] = {}
    cancelled: set[int] = set()
    written: dict[int, tuple[int, ...]] = {}
    done: dict[int, Output] = {}
    while coming or engine.busy:
        while coming and dice.random() < 0.4:
            number = coming.pop()
            tickets[engine.add(requests[number])] = number
        open_tickets = sorted(set(tickets) - set(done) - cancelled)
        if len(cancelled) < 6 and open_tickets and dice.random() < 0.2:
            leaves = dice.choice(open_tickets)
            cancelled.add(leaves)
            engine.cancel(leaves)
        for news in engine.step():
            assert news.ticket not in cancelled and news.ticket not in done
            written[news.ticket] = written.get(news.ticket, ()) + news.tokens
            if news.output is not None:
                done[news.ticket] = news.output
    assert cancelled and set(done) | cancelled == set(tickets)
    for ticket, output in done.items():
        assert same(output, expected[tickets[ticket]])
        assert written[ticket] == output.best.tokens


@pytest.mark.parametrize("name", ["gpt2", "t5"])
def test_a_hundred_requests_come_back_in_order(name: str) -> None:
    ours = writer(name)
    settings = [Settings(max_tokens=6), Settings(Beam(2), max_tokens=6)]
    requests = [
        request(ours, 1 + i % 8, replace(settings[i % 2], prefix=(2 + i % 12,)), seed=i)
        for i in range(100)
    ]
    told: list[int] = []
    outputs = generate(ours, requests, max_rows=7, progress=told.append)
    assert [output.best.tokens[0] for output in outputs] == [2 + i % 12 for i in range(100)]
    assert told == [1] * 100
    assert all(same(outputs[i], generate(ours, [requests[i]])[0]) for i in range(0, 100, 9))


def test_no_requests() -> None:
    assert generate(writer("gpt2"), []) == []
    engine = Engine(writer("gpt2"))
    assert not engine.busy and engine.step() == []
    engine.cancel(0)


def test_a_step_tells_of_every_token() -> None:
    ours = writer("llama")
    engine = Engine(ours)
    settings = Settings(max_tokens=5, vocabulary=frozenset({4}), min_tokens=5)
    ticket = engine.add(request(ours, 3, settings))
    for _ in range(4):
        (news,) = engine.step()
        assert (news.ticket, news.tokens, news.output) == (ticket, (4,), None)
    (news,) = engine.step()
    assert news.tokens == (4,) and news.output is not None
    assert news.output.best.tokens == (4,) * 5
    assert not engine.busy


@pytest.mark.parametrize("name", ["gpt2", "bart"])
def test_cancelling_leaves_nothing_behind(name: str) -> None:
    ours = writer(name)
    engine = Engine(ours, max_rows=4)
    requests = [request(ours, length) for length in (3, 5, 2)]
    tickets = [engine.add(one) for one in requests]
    engine.step()
    for ticket in tickets:
        engine.cancel(ticket)
        engine.cancel(ticket)
    assert not engine.busy and engine.step() == []
    ticket = engine.add(requests[1])
    news = []
    while engine.busy:
        news += engine.step()
    assert news[-1].ticket == ticket and news[-1].output is not None
    assert same(news[-1].output, generate(ours, [requests[1]])[0])


def test_rows_are_kept_for_beams_that_have_yet_to_spread() -> None:
    """Of two words, eight beams are two, then four, then eight: there is no room for another."""
    ours = writer("gpt2")
    settings = Settings(
        Beam(8), max_tokens=8, min_tokens=8, vocabulary=frozenset({2, 3}), banned=((3, 3, 3),)
    )
    engine = Engine(ours, max_rows=12)
    rows: list[int] = []
    assert ours.transformer.decoder is not None
    hook = ours.transformer.decoder.register_forward_hook(
        lambda _, inputs, __: rows.append(len(inputs[1]))
    )
    for length in (2, 3, 4):
        engine.add(request(ours, length, settings))
    while engine.busy:
        engine.step()
    hook.remove()
    assert max(rows) <= 12


def test_samples_are_those_of_the_seed() -> None:
    ours = writer("llama")

    def texts(seed: int, count: int = 6) -> list[tuple[int, ...]]:
        settings = Settings(Sample(temperature=1.5), count, max_tokens=8, seed=seed)
        output = generate(ours, [request(ours, 4, settings)])[0]
        return [one.tokens for one in output.hypotheses]

    assert texts(1) == texts(1)
    assert set(texts(1)) != set(texts(2))
    assert len(set(texts(1))) == 6
    # The first samples are the same, however many more there are.
    assert set(texts(1, 3)) < set(texts(1))


def damaged(sound: Writer) -> Writer:
    """The same model, but the vector of token 7 is not numbers."""
    transformer = type(sound.transformer)(sound.transformer.spec).eval()
    transformer.load_state_dict(sound.transformer.state_dict())
    with torch.no_grad():
        transformer.table.weight[7] = float("nan")
    return Writer(transformer, sound.ends)


def test_logits_that_are_no_numbers_name_request_and_step() -> None:
    """Its number is that of the caller, whatever is read first."""
    ours = damaged(writer("gpt2"))
    fine = Settings(max_tokens=6, banned=((7,),))
    requests = [Request([3, 4], None, fine), Request([7], None, fine), Request([3] * 4, None, fine)]
    with pytest.raises(GenerationError, match=r"request 1, token 1:.*NaN"):
        generate(ours, requests)
    later = Settings(max_tokens=6, prefix=(3,), required=((7, 7),), vocabulary=frozenset({3, 7}))
    with pytest.raises(GenerationError, match=r"request 2, token [3-6]:.*NaN"):
        generate(ours, [requests[0], requests[2], Request([3], None, later)])
