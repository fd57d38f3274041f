"""Answers in a library: candidates of all passages that were found, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from manyheads.tasks import Answering, Candidate


@dataclass(frozen=True)
class Found:
    """A passage that a search found: `text` is `[start:end]` of the text of its document.

    Attributes:
        score: What it was ranked by; what that is depends on the way of searching.
        source: Where its document comes from.
        document: The id of the document there.
    """

    score: float
    source: str
    document: str
    title: str
    text: str
    start: int
    end: int

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class FoundAnswer:
    """An answer: `text` is `[start:end]` of the text of a document.

    Attributes:
        probability: Its share among all candidates of all passages, those of the one at rank r
            with a prior of 1/r.
        confidence: How often answers of this probability are right; None without a calibration.
        passage: Where it was found, with the id of the document.
    """

    text: str
    start: int
    end: int
    probability: float
    confidence: float | None
    passage: Found

    def __str__(self) -> str:
        return self.text


class Curve(Protocol):
    """A calibration."""

    def __call__(self, probability: float) -> float:
        """Return how often answers of this probability are right."""


def answers_among(
    task: Answering,
    passages: Sequence[Found],
    candidates: Sequence[Sequence[Candidate]],
    calibration: Curve | None = None,
) -> list[FoundAnswer]:
    """Return the answers of all passages, the likeliest first; those are in the order of a search.

    A reader has seen passages with answers alone, and is as sure of a wrong one: what the search
    thinks counts too (Yang et al. 2019, BERTserini), as a prior of 1/rank, which every way of
    searching has. Passages overlap: an answer at one place of a document counts by the passage that
    makes it likeliest. A model that may say that there is none says so where every passage does,
    whatever its rank; none at all are returned then.
    """
    best: dict[tuple[str, str, int, int], tuple[float, Found]] = {}
    for rank, (passage, found) in enumerate(zip(passages, candidates, strict=True), 1):
        for one in found:
            place, score = _place(passage, one), one.score - math.log(rank)
            if one.text and (place not in best or score > best[place][0]):
                best[place] = score, passage
    if not best:
        return []
    scores = [score for score, _ in best.values()]
    if task.may_refuse:
        every = [one for found in candidates for one in found]
        none = min(one.score for one in every if not one.text)
        if none - max(one.score for one in every if one.text) > task.threshold:
            return []
        scores.append(none)
    shares = np.exp(np.array(scores) - max(scores))
    shares /= shares.sum()
    answers = [
        _answer(place, passage, float(share), calibration)
        for (place, (_, passage)), share in zip(best.items(), shares, strict=False)
    ]
    return sorted(answers, key=lambda one: -one.probability)


def _place(passage: Found, one: Candidate) -> tuple[str, str, int, int]:
    start = passage.start + one.start
    return passage.source, passage.document, start, passage.start + one.end


def _answer(
    place: tuple[str, str, int, int], passage: Found, share: float, calibration: Curve | None
) -> FoundAnswer:
    _, _, start, end = place
    text = passage.text[start - passage.start : end - passage.start]
    confidence = None if calibration is None else calibration(share)
    return FoundAnswer(text, start, end, share, confidence, passage)
