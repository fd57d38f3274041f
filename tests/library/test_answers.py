"""Candidates of several passages, side by side."""

from __future__ import annotations

import numpy as np

import manyheads as mh
from manyheads.library import Found
from manyheads.library.answers import answers_among
from manyheads.tasks import Candidate

TEXT = "Ada wrote it. Ada wrote more."


def passage(start: int, end: int) -> Found:
    return Found(1.0, "rows", "ada", "Ada", TEXT[start:end], start, end)


PASSAGES = [passage(0, 13), passage(0, 29)]
NONE = Candidate("", 0, 0, -3.0)


def test_places_are_those_of_the_document_and_count_once() -> None:
    found = [
        [Candidate("Ada", 0, 3, -1.0), NONE],
        [Candidate("Ada", 0, 3, -2.0), Candidate("Ada", 14, 17, -1.5), NONE],
    ]
    first, second = answers_among(mh.Answering(), PASSAGES, found)
    assert (first.start, first.end, first.passage) == (0, 3, PASSAGES[0])
    assert (second.start, second.end, second.passage) == (14, 17, PASSAGES[1])
    assert all(TEXT[one.start : one.end] == one.text == "Ada" for one in (first, second))
    shares = np.array([np.exp(-1.0), np.exp(-1.5) / 2])
    shares /= shares.sum()
    np.testing.assert_allclose([first.probability, second.probability], shares)
    assert first.confidence is None
    (halved, _) = answers_among(mh.Answering(), PASSAGES, found, lambda share: share / 2)
    assert halved.confidence == halved.probability / 2


def test_passages_found_first_are_believed_first() -> None:
    """What answers another question looks as sure: it counts half at rank 2, a third at 3."""
    passages = [passage(0, 3), passage(14, 17), passage(4, 9)]
    found = [
        [Candidate("Ada", 0, 3, -1.0)],
        [Candidate("Ada", 0, 3, -0.5)],
        [Candidate("wrote", 0, 5, 0.0)],
    ]
    answers = answers_among(mh.Answering(), passages, found)
    assert [one.start for one in answers] == [0, 4, 14]
    shares = np.exp([-1.0, 0.0, -0.5]) / [1, 3, 2]
    np.testing.assert_allclose([one.probability for one in answers], shares / shares.sum())
    found[1] = [Candidate("Ada", 0, 3, -0.2)]
    assert answers_among(mh.Answering(), passages, found)[0].start == 14


def test_no_rank_makes_a_model_refuse() -> None:
    task = mh.Answering(may_refuse=True)
    last = [Candidate("Ada", 14, 17, -2.9), Candidate("", 0, 0, -3.0)]
    assert answers_among(task, PASSAGES, [[NONE], last]) != []


def test_none_is_said_where_every_passage_says_so() -> None:
    task = mh.Answering(may_refuse=True)
    sure, unsure = Candidate("Ada", 0, 3, -1.0), Candidate("Ada", 0, 3, -6.0)
    (one,) = answers_among(task, PASSAGES[:1], [[sure, NONE]])
    np.testing.assert_allclose(one.probability, 1 / (1 + np.exp(-2.0)))
    assert answers_among(task, PASSAGES[:1], [[unsure, NONE]]) == []
    assert answers_among(task, PASSAGES, [[unsure, NONE], [Candidate("", 0, 0, -9.0)]]) != []
    assert answers_among(task, PASSAGES[:1], [[NONE]]) == []
