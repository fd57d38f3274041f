"""Answers that stand in a text, and how good others are beside them (Rajpurkar et al. 2016)."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from manyheads.errors import DataError
from manyheads.tasks.labels import Describe
from manyheads.tasks.metrics import Interval, Scores, bootstrap_interval
from manyheads.text.scripts import UNSPACED

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_UNITS = re.compile(f"[{UNSPACED}]|[^\\s{UNSPACED}]+")
_UNSPACED = re.compile(f"[{UNSPACED}]")
_PUNCTUATION = frozenset(string.punctuation)
_WIDE_PUNCTUATION = _PUNCTUATION | frozenset("，。！？、；：“”‘’「」『』（）《》〈〉【】…—–·～")
_SHOWN = 3  # rows


@dataclass(frozen=True, slots=True)
class Answers:
    """All answers to a question that count as right, and where each begins; none: there is none."""

    texts: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()

    def __str__(self) -> str:
        return " | ".join(dict.fromkeys(self.texts)) or "(no answer)"


@dataclass(frozen=True)
class AnswerScores(Scores):
    """Means over questions: the share of answers that are equal, and of shared words (F1).

    Of questions without an answer, none is right. `f1_interval` comes from resampled questions.
    """

    questions: int
    exact_match: float
    f1: float
    f1_interval: Interval
    answerable_f1: float | None
    unanswerable_accuracy: float | None


def answer_scores(expected: Sequence[Answers], found: Sequence[str]) -> AnswerScores:
    """Score answers, "" for none, as the evaluation of SQuAD 1.1 and 2.0 does.

    Words of scripts without spaces are their characters (Cui et al. 2019, CMRC 2018).
    Raises `DataError` for no questions.
    """
    if not expected:
        raise DataError("there are no questions to score")
    pairs = [compared(*one) for one in zip(expected, found, strict=True)]
    exact, f1 = (np.array(values) for values in zip(*pairs, strict=True))
    has_answer = np.array([bool(one.texts) for one in expected])
    return AnswerScores(
        questions=len(expected),
        exact_match=float(exact.mean()),
        f1=float(f1.mean()),
        f1_interval=bootstrap_interval(lambda rows: float(f1[rows].mean()), len(f1)),
        answerable_f1=_mean(f1[has_answer]) if not has_answer.all() else None,
        unanswerable_accuracy=_mean(f1[~has_answer]),
    )


def normalised(text: str) -> str:
    """Return an answer as it is compared: lower case, without punctuation, articles and spaces.

    Punctuation is ASCII's, as SQuAD has it, and in scripts without spaces also their own.
    """
    punctuation = _WIDE_PUNCTUATION if _UNSPACED.search(text) else _PUNCTUATION
    letters = "".join(one for one in text.lower() if one not in punctuation)
    return " ".join(_ARTICLES.sub(" ", letters).split())


def compared(expected: Answers, found: str) -> tuple[float, float]:
    """Return exact match and F1 of an answer beside the right one that it is nearest to.

    Right answers of which nothing is left to compare do not count.
    """
    texts = [text for text in expected.texts if normalised(text)]
    return max(_compare(text, found) for text in texts or ("",))


def answers_of_rows(
    contexts: Sequence[str], labels: Sequence[Any], describe: Describe
) -> list[Answers]:
    """Return the answers of each row, with their places.

    Raises `DataError` for labels that are no answers, and counting and naming rows whose answers
    are not in their context.
    """
    rows = [
        label if isinstance(label, Answers) else _answers(label, describe(row))
        for row, label in enumerate(labels)
    ]
    placed, lost = [], []
    for row, (context, answers) in enumerate(zip(contexts, rows, strict=True)):
        starts = tuple(_places(context, answers))
        if -1 in starts:
            lost.append((row, answers.texts[starts.index(-1)]))
        placed.append(Answers(answers.texts, starts))
    if lost:
        shown = "; ".join(f"{describe(row)}: {text!r:.60}" for row, text in lost[:_SHOWN])
        more = f" and {len(lost) - _SHOWN:,} more" if len(lost) > _SHOWN else ""
        raise DataError(
            f"{len(lost):,} of {len(rows):,} rows have an answer that is not in their context "
            f"({shown}{more}); correct them or take them out"
        )
    return placed


def _answers(label: Any, place: str) -> Answers:
    """Return answers of any of the usual forms; where one begins is -1 while it is unknown."""
    if label is None or label != label:  # NaN is how dataframes write that there is nothing
        return Answers()
    pairs = list(_said(label))
    if not all(isinstance(text, str) and isinstance(start, int) for text, start in pairs):
        raise DataError(
            f"{place}: {label!r:.80} are no answers; write a text, a list of texts, or "
            '{"text": [...], "answer_start": [...]} as SQuAD has it'
        )
    pairs = [(text, start) for text, start in pairs if text.strip()]
    return Answers(tuple(text for text, _ in pairs), tuple(start for _, start in pairs))


def _said(label: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(label, str):
        yield label, -1
    elif isinstance(label, Mapping):
        texts, starts = label.get("text"), label.get("answer_start")
        if isinstance(texts, list | tuple):
            yield from zip_longest(texts, starts or [-1] * len(texts))
        else:
            yield texts, -1 if starts is None else starts
    elif isinstance(label, list | tuple):
        for one in label:
            yield from _said(one)
    else:
        yield label, None


def _places(context: str, answers: Answers) -> Iterator[int]:
    """Yield where each answer begins: nearest to where it is said to, or first; -1 for nowhere."""
    for text, said in zip(answers.texts, answers.starts, strict=True):
        start = max(0, said)
        places = (context.rfind(text, 0, start + len(text)), context.find(text, start))
        yield min((at for at in places if at >= 0), key=lambda at: abs(at - start), default=-1)


def _compare(expected: str, found: str) -> tuple[float, float]:
    truth, guess = normalised(expected), normalised(found)
    if not truth or not guess:
        return float(truth == guess), float(truth == guess)
    a, b = Counter(_UNITS.findall(truth)), Counter(_UNITS.findall(guess))
    shared = (a & b).total()
    return float(truth == guess), 2 * shared / (a.total() + b.total())


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
