"""The likeliest answers, against every span of every window tried one by one."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
import torch

from manyheads.tasks.answering.samples import Window
from manyheads.tasks.answering.spans import Candidate, best_spans
from manyheads.text import Piece

CONTEXT = "abcdefghijklmnopqrstuvwxyz" * 4


def window(first: int, tokens: int, wide: int = 1) -> Window:
    """Tokens of `wide` characters of the context each, from the one at `first` on."""
    starts = array("i", [first + wide * i for i in range(tokens)])
    ends = array("i", [start + wide for start in starts])
    piece = Piece(array("i", [1] * (tokens + 3)), array("B", bytes(tokens + 3)), None)
    return Window(0, piece, 2, starts, ends, (0, 0), ())


def scores(tokens: int, seed: int) -> torch.Tensor:
    return torch.randn(1 + tokens, 2, generator=torch.Generator().manual_seed(seed)).log_softmax(0)


def brute_force(
    windows: list[tuple[Window, torch.Tensor]], longest: int
) -> tuple[dict[tuple[int, int], float], float]:
    """The best score of each span of characters, and that there is none."""
    best: dict[tuple[int, int], float] = {}
    for one, log_probs in windows:
        for first in range(len(one.starts)):
            for last in range(first, min(first + longest, len(one.starts))):
                span = one.starts[first], one.ends[last]
                score = float(log_probs[1 + first, 0] + log_probs[1 + last, 1])
                best[span] = max(score, best.get(span, -np.inf))
    return best, min(float(log_probs[0].sum()) for _, log_probs in windows)


@pytest.mark.parametrize("longest", [1, 3, 30])
@pytest.mark.parametrize("lengths", [(1,), (2,), (12,), (12, 12, 5), (40, 9)])
def test_the_best_of_all_spans_over_all_windows(lengths: tuple[int, ...], longest: int) -> None:
    for seed in range(10):
        windows = [
            (window(8 * number, length), scores(length, seed * 10 + number))
            for number, length in enumerate(lengths)
        ]
        expected, none = brute_force(windows, longest)
        found = best_spans(CONTEXT, windows, longest, n=7)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        answers = [one for one in found if one.text]
        assert len(answers) == min(7, len(expected))
        wanted = sorted(expected.values(), reverse=True)[: len(answers)]
        assert [one.score for one in answers] == pytest.approx(wanted, abs=1e-5)
        for one in answers:
            assert one.score == pytest.approx(expected[one.start, one.end], abs=1e-5)
            assert one.text == CONTEXT[one.start : one.end]
            assert one.end - one.start <= longest
        (nothing,) = (one for one in found if not one.text)
        assert nothing.score == pytest.approx(none, abs=1e-5)


def test_shares_are_a_softmax_over_the_candidates() -> None:
    windows = [(window(0, 12), scores(12, 3))]
    found = best_spans(CONTEXT, windows, 30, n=5)
    expected = torch.tensor([one.score for one in found], dtype=torch.float64).softmax(0)
    assert [one.probability for one in found] == pytest.approx(expected.tolist())
    assert sum(one.probability for one in found) == pytest.approx(1)


def test_an_answer_in_two_windows_counts_once_by_the_surer_one() -> None:
    sure, unsure = torch.full((4, 2), -9.0), torch.full((4, 2), -9.0)
    sure[2] = -0.1
    unsure[1] = -0.5
    found = best_spans("xyz12", [(window(0, 3), sure), (window(1, 3), unsure)], 30, 20)
    assert found[0] == Candidate("y", 1, 2, pytest.approx(-0.2), pytest.approx(1.0, abs=1e-2))
    assert [one.text for one in found].count("y") == 1


def test_without_tokens_there_is_no_answer() -> None:
    (only,) = best_spans("", [(window(0, 0), torch.zeros(1, 2))], 30, 20)
    assert only == Candidate("", 0, 0, 0.0, 1.0)
    assert str(only) == "(no answer)"


def test_white_space_is_no_answer() -> None:
    log_probs = torch.tensor([[-5.0, -5.0], [-5.0, -5.0], [-0.1, -0.1], [-4.0, -4.0]])
    found = best_spans("a b", [(window(0, 3), log_probs)], 1, 20)
    assert sorted(one.text for one in found) == ["", "a", "b"]


def test_tokens_that_share_a_character_are_one_answer() -> None:
    one = Window(
        *(0, Piece(array("i", [1] * 6), array("B", bytes(6)), None), 2),
        *(array("i", [0, 0, 0]), array("i", [1, 1, 1]), (1, 3), ()),
    )
    found = best_spans("龘", [(one, scores(3, 0))], 30, 20)
    assert [one.text for one in found if one.text] == ["龘"]
