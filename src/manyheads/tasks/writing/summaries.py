"""ROUGE, by rouge-score."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from typing import Any

import numpy as np

from manyheads.errors import MissingExtra, RecipeError
from manyheads.tasks.writing.scores import (
    References,
    Statistics,
    SummedMetric,
    TextMetric,
    share_of_sums,
)
from manyheads.text.scripts import UNSPACED, is_unspaced_language

_WORD = re.compile(r"\w+")
_WORD_OR_CHARACTER = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")


class RougeKind(StrEnum):
    """What is counted: shared words, pairs of words, or the longest common subsequence."""

    UNIGRAMS = "rouge1"
    BIGRAMS = "rouge2"
    LONGEST = "rougeL"


class RougeWords(StrEnum):
    """What a word is. Case never counts."""

    ASCII = "ascii"  # as ROUGE was published: letters and digits of English, nothing else
    UNICODE = "unicode"
    CHARACTERS = "characters"  # each one of scripts without spaces, words of others

    @classmethod
    def of_language(cls, code: str) -> RougeWords:
        """Return what keeps all letters of a language, such as ``de`` or ``zh-TW``."""
        if is_unspaced_language(code):
            return cls.CHARACTERS
        return cls.ASCII if code.lower().startswith("en") else cls.UNICODE


@dataclass(frozen=True)
class Rouge(SummedMetric):
    """The F score of ROUGE (Lin, 2004): its mean over the texts, of each the best reference.

    `stemming` is Porter's, for English; raises `RecipeError` with other words than ASCII.
    """

    kind: RougeKind = RougeKind.LONGEST
    words: RougeWords = RougeWords.ASCII
    stemming: bool = False

    lower_is_better = False

    def __post_init__(self) -> None:
        if self.stemming and self.words is not RougeWords.ASCII:
            raise RecipeError(
                f"stemming=True is for English words; with words={str(self.words)!r} leave it out"
            )

    @property
    def name(self) -> str:
        """The name of its score: rouge1, rouge2 or rougeL."""
        return str(self.kind)

    def statistics(self, references: References, predicted: Sequence[str]) -> Statistics:
        """Score each text by its best reference."""
        scorer = self._scorer()
        pairs = zip(references, predicted, strict=True)
        scores = [scorer.score_multi(some, text)[self.kind].fmeasure for some, text in pairs]
        stemming = "yes" if self.stemming else "no"
        return Statistics(
            np.array([(score, 1.0) for score in scores]),
            share_of_sums,
            f"words:{self.words}|stem:{stemming}|refs:best|version:rouge-score-{version('rouge-score')}",
        )

    def _scorer(self) -> Any:
        try:
            from rouge_score.rouge_scorer import RougeScorer
        except ImportError:
            raise MissingExtra("rouge-score", "eval", "the metric ROUGE") from None
        if self.words is RougeWords.ASCII:
            return RougeScorer([str(self.kind)], use_stemmer=self.stemming)
        return RougeScorer([str(self.kind)], tokenizer=_Words(self.words))


@dataclass(frozen=True)
class _Words:
    """A tokenizer as rouge-score wants it."""

    words: RougeWords

    def tokenize(self, text: str) -> list[str]:
        by_characters = self.words is RougeWords.CHARACTERS
        return (_WORD_OR_CHARACTER if by_characters else _WORD).findall(text.lower())


def summary_metrics(language: str = "en") -> tuple[TextMetric, ...]:
    """Return ROUGE-1, ROUGE-2 and ROUGE-L as they are usual for texts in a language."""
    words = RougeWords.of_language(language)
    return tuple(Rouge(kind, words) for kind in RougeKind)
