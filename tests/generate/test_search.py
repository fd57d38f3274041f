"""Beams by hand: three words a, b, c, and an end; what follows what is a table of probabilities."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import pytest
import torch
from tests.generate.small import END, Table, search_by
from torch import Tensor

from manyheads.generate import Beam, Finish, Greedy, Hypothesis, Settings, Stopping

A, B, C = 2, 3, 4


def table(rows: Mapping[tuple[int, ...], Mapping[int, float]]) -> Table:
    """Probabilities by what was written; the last token alone is asked for where that is not there.

    What a row says nothing of is impossible.
    """

    def logits(written: tuple[int, ...]) -> Tensor:
        row = rows[written] if written in rows else rows[written[-1:]]
        assert math.isclose(sum(row.values()), 1.0)
        return torch.tensor([row.get(token, 0.0) for token in range(5)]).log()

    return logits


def found(by: Table, settings: Settings) -> list[tuple[Sequence[int], float]]:
    return [(one.tokens, one.score) for one in search_by(by, settings).outputs]


def log(*probabilities: float) -> float:
    return sum(map(math.log, probabilities))


# Greedy goes a, c, end: 0.5 · 0.4 · 0.9 = 0.18. Better is b, end: 0.4 · 0.9 = 0.36.
MISLED = table(
    {
        (): {A: 0.5, B: 0.4, C: 0.1},
        (A,): {A: 0.3, C: 0.4, B: 0.3},
        (B,): {A: 0.1, END: 0.9},
        (C,): {A: 0.1, END: 0.9},
    }
)


def test_greedy_is_misled_and_beams_are_not() -> None:
    greedy = search_by(MISLED, Settings(Greedy(), max_tokens=5)).outputs
    assert [one.tokens for one in greedy] == [(A, C, END)]
    assert greedy[0].log_probs == pytest.approx([log(0.5), log(0.4), log(0.9)])
    assert greedy[0].score == pytest.approx(log(0.5, 0.4, 0.9) / 3)
    assert greedy[0].finish is Finish.END

    best, second = found(MISLED, Settings(Beam(2, 0.0), n_best=2, max_tokens=5))
    assert best == ((B, END), pytest.approx(log(0.4, 0.9)))
    assert second == ((A, C, END), pytest.approx(log(0.5, 0.4, 0.9)))


@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0])
def test_scores_are_divided_by_a_power_of_the_length(penalty: float) -> None:
    outputs = dict(found(MISLED, Settings(Beam(3, penalty), n_best=3, max_tokens=3)))
    assert outputs[B, END] == pytest.approx(log(0.4, 0.9) / 2**penalty)
    assert outputs[A, C, END] == pytest.approx(log(0.5, 0.4, 0.9) / 3**penalty)
    assert list(outputs.values()) == sorted(outputs.values(), reverse=True)


# a goes on for ever at 0.8 a token. After one token, b ends at 0.6.
LASTING = table({(): {A: 0.5, B: 0.5}, (A,): {A: 0.8, END: 0.2}, (B,): {B: 0.4, END: 0.6}})


def test_a_length_penalty_favours_longer_outputs() -> None:
    """Σ log p alone prefers b end; its mean, four times a, cut off."""
    cut = log(0.5, 0.8, 0.8, 0.8)
    short = log(0.5, 0.6)
    assert cut < short and cut / 4 > short / 2
    for penalty, first in ((0.0, (B, END)), (1.0, (A,) * 4), (2.0, (A,) * 4)):
        settings = Settings(Beam(2, penalty, stopping=Stopping.EXHAUSTED), max_tokens=4)
        best = search_by(LASTING, settings).outputs[0]
        assert best.tokens == first
        whole = cut if best.finish is Finish.LENGTH else short
        assert best.score == pytest.approx(whole / len(first) ** penalty)


def test_when_one_beam_has_ended() -> None:
    """b is likely to end at once; the beam that goes on could still beat it, given the length."""
    by = table({(): {B: 1.0}, (B,): {END: 0.6, A: 0.4}, (A,): {A: 1.0}})
    ended, going = log(0.6) / 2, log(0.4) / 2
    assert going < ended < log(0.4) / 5
    for stopping, first in (
        (Stopping.ENOUGH, (B, END)),
        (Stopping.ATTAINABLE, (B, END)),
        (Stopping.EXHAUSTED, (B, A, A, A, A)),
    ):
        settings = Settings(Beam(1, 1.0, stopping=stopping), max_tokens=5)
        assert search_by(by, settings).outputs[0].tokens == first


def test_enough_ends_where_attainable_goes_on() -> None:
    """Two outputs are there after two steps, and a live beam is better than the second.

    Step 1: a 0.4, end 0.3, b 0.3: the end is found, a and b live.
    Step 2: a c 0.22, b end 0.195, a end 0.18, b c 0.105: b end is found, a c and b c live.
    """
    by = table(
        {
            (): {A: 0.4, END: 0.31, B: 0.29},
            (A,): {C: 0.55, END: 0.45},
            (B,): {END: 0.65, C: 0.35},
            (C,): {END: 1.0},
        }
    )
    enough = Settings(Beam(2, 0.0, stopping=Stopping.ENOUGH), n_best=2, max_tokens=5)
    assert found(by, enough) == [
        ((END,), pytest.approx(log(0.31))),
        ((B, END), pytest.approx(log(0.29, 0.65))),
    ]
    assert found(by, Settings(Beam(2, 0.0), n_best=2, max_tokens=5)) == [
        ((END,), pytest.approx(log(0.31))),
        ((A, C, END), pytest.approx(log(0.4, 0.55))),
    ]


def test_an_end_that_comes_first() -> None:
    by = table({(): {END: 0.8, A: 0.2}, (A,): {END: 1.0}})
    assert found(by, Settings(max_tokens=3)) == [((END,), pytest.approx(log(0.8)))]
    assert found(by, Settings(Beam(2, 0.0), n_best=2, max_tokens=3)) == [
        ((END,), pytest.approx(log(0.8))),
        ((A, END), pytest.approx(log(0.2))),
    ]


def test_one_token_at_most() -> None:
    row = {END: 0.4, A: 0.3, B: 0.2, C: 0.1}
    by = table({(): row})
    outputs = search_by(by, Settings(Beam(3), n_best=3, max_tokens=1)).outputs
    assert [(one.tokens, one.finish) for one in outputs] == [
        ((END,), Finish.END),
        ((A,), Finish.LENGTH),
        ((B,), Finish.LENGTH),
    ]
    assert [one.score for one in outputs] == pytest.approx([log(0.4), log(0.3), log(0.2)])


@pytest.mark.parametrize("beams", [4, 5, 40])
def test_more_beams_than_candidates(beams: int) -> None:
    """Two words and an end: there are but 1 + 2 + 4 + 8 outputs of at most three tokens."""
    row = {END: 0.5, A: 0.3, B: 0.2}
    by = table({(): row, (A,): row, (B,): row})
    settings = Settings(Beam(beams, 0.0), n_best=beams, max_tokens=3)
    outputs = search_by(by, settings).outputs
    assert len({one.tokens for one in outputs}) == len(outputs) == min(beams, 15)
    assert outputs[0].tokens == (END,)
    assert [one.score for one in outputs] == sorted((one.score for one in outputs), reverse=True)


def every_output(by: Table, limit: int) -> list[tuple[tuple[int, ...], float]]:
    """All that can be written, the most probable first."""
    outputs = []
    for length in range(1, limit + 1):
        for words in itertools.product((END, A, B, C, 0), repeat=length):
            if END in words[:-1] or (words[-1] != END and length < limit):
                continue
            total = sum(
                float(by(words[:at]).log_softmax(0)[token]) for at, token in enumerate(words)
            )
            outputs.append((words, total))
    return sorted(outputs, key=lambda one: -one[1])


@pytest.mark.parametrize("seed", range(5))
def test_enough_beams_find_the_best_of_all(seed: int) -> None:
    logits = torch.randn(6, 6, 5, generator=torch.Generator().manual_seed(seed)) * 2

    def by(written: tuple[int, ...]) -> Tensor:
        return logits[len(written), written[-1] if written else 5]

    expected = every_output(by, 4)[:20]
    settings = Settings(Beam(400, 0.0, stopping=Stopping.EXHAUSTED), n_best=20, max_tokens=4)
    outputs = found(by, settings)[:20]
    assert [tokens for tokens, _ in outputs] == [tokens for tokens, _ in expected]
    assert [score for _, score in outputs] == pytest.approx([score for _, score in expected])


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0])
def test_one_beam_is_greedy(seed: int, penalty: float) -> None:
    logits = torch.randn(5, 5, generator=torch.Generator().manual_seed(seed))

    def by(written: tuple[int, ...]) -> Tensor:
        return logits[written[-1] if written else 0].clone()

    greedy = search_by(by, Settings(max_tokens=9)).outputs
    beam = search_by(by, Settings(Beam(1, penalty), max_tokens=9)).outputs
    assert [(one.tokens, one.log_probs) for one in beam] == [
        (one.tokens, one.log_probs) for one in greedy
    ]


def test_several_tokens_that_end() -> None:
    """With two ends, as many continuations of each beam may be of no use to the next step."""
    by = table({(): {A: 1.0}, (A,): {END: 0.4, B: 0.35, A: 0.25}})
    outputs = search_by(by, Settings(Beam(1, 0.0), max_tokens=2), ends=(END, B)).outputs
    assert [one.tokens for one in outputs] == [(A, END)]
    outputs = search_by(by, Settings(Beam(3, 0.0), max_tokens=3), ends=(END, B)).outputs
    assert [one.tokens for one in outputs] == [(A, END), (A, B), (A, A, END)]


# What follows does not depend on what was written: only diversity parts the groups.
SAME = table({written: {A: 0.5, B: 0.3, C: 0.2} for written in ((), (A,), (B,), (C,))})


def test_groups_avoid_what_earlier_ones_chose() -> None:
    """log 0.5 − 1 < log 0.3: the second group takes b; log 0.3 − 1 < log 0.2: the third takes c."""
    strategy = Beam(3, 0.0, groups=3, diversity=1.0)
    outputs = found(SAME, Settings(strategy, n_best=3, max_tokens=2))
    assert outputs == [
        ((A, A), pytest.approx(log(0.5, 0.5))),
        ((B, B), pytest.approx(log(0.3, 0.3))),
        ((C, C), pytest.approx(log(0.2, 0.2))),
    ]


def test_a_small_diversity_is_paid_where_the_token_is_worth_it() -> None:
    """log 0.5 − 0.4 > log 0.3: both groups take a; the second pays for it at each step."""
    strategy = Beam(2, 0.0, groups=2, diversity=0.4)
    outputs = search_by(SAME, Settings(strategy, n_best=2, max_tokens=2)).outputs
    assert [one.tokens for one in outputs] == [(A, A), (A, A)]
    assert [one.score for one in outputs] == pytest.approx([log(0.25), log(0.25) - 0.8])
    assert [one.log_probs for one in outputs] == [pytest.approx([log(0.5)] * 2)] * 2


def test_groups_of_two_beams() -> None:
    """The first group takes a and b, then a twice: 0.30 a a, 0.18 b a.

    The second, to which a and b cost 0.5 at step 1: a −1.19, c −1.61, b −1.70: it takes a and c.
    At step 2 a costs it 1.0: a b −2.58, a a −2.70, c b −3.00.
    """
    later = {A: 0.6, B: 0.25, C: 0.15}
    by = table({(): {A: 0.5, B: 0.3, C: 0.2}, (A,): later, (B,): later, (C,): later})
    outputs = found(by, Settings(Beam(4, 0.0, groups=2, diversity=0.5), n_best=4, max_tokens=2))
    assert outputs == [
        ((A, A), pytest.approx(log(0.5, 0.6))),
        ((B, A), pytest.approx(log(0.3, 0.6))),
        ((A, B), pytest.approx(log(0.5, 0.25) - 0.5)),
        ((A, A), pytest.approx(log(0.5, 0.6) - 0.5 - 1.0)),
    ]


def test_what_an_earlier_group_ended_with_is_avoided_too() -> None:
    """The first group takes the end and is over; log 0.6 − 1 < log 0.4: the second takes a."""
    by = table({(): {END: 0.6, A: 0.4}, (A,): {END: 1.0}})
    strategy = Beam(2, 0.0, groups=2, diversity=1.0)
    assert found(by, Settings(strategy, n_best=2, max_tokens=3)) == [
        ((END,), pytest.approx(log(0.6))),
        ((A, END), pytest.approx(log(0.4))),
    ]


def test_no_diversity_gives_every_group_the_same() -> None:
    outputs = search_by(SAME, Settings(Beam(4, groups=2), n_best=4, max_tokens=3)).outputs
    alone = search_by(SAME, Settings(Beam(2), n_best=2, max_tokens=3)).outputs
    assert sorted(outputs, key=_key) == sorted([*alone, *alone], key=_key)


def _key(one: Hypothesis) -> tuple[int, ...]:
    return one.tokens
