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
    shares = np.exp([-1.0, -1.5]) / np.exp([-1.0, -1.5]).sum()
    np.testing.assert_allclose([first.probability, second.probability], shares)
    assert first.confidence is None
    (halved, _) = answers_among(mh.Answering(), PASSAGES, found, lambda share: share / 2)
    assert halved.confidence == halved.probability / 2


def test_none_is_said_where_every_passage_says_so() -> None:
    task = mh.Answering(may_refuse=True)
    sure, unsure = Candidate("Ada", 0, 3, -1.0), Candidate("Ada", 0, 3, -6.0)
    (one,) = answers_among(task, PASSAGES[:1], [[sure, NONE]])
    np.testing.assert_allclose(one.probability, 1 / (1 + np.exp(-2.0)))
    assert answers_among(task, PASSAGES[:1], [[unsure, NONE]]) == []
    assert answers_among(task, PASSAGES, [[unsure, NONE], [Candidate("", 0, 0, -9.0)]]) != []
    assert answers_among(task, PASSAGES[:1], [[NONE]]) == []
