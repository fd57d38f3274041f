"""How good generated texts are: what all metrics of texts have in common, and their table.

    metrics = translation_metrics("de")
    print(text_scores(references, outputs, metrics))

    bleu   38.12   nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0
    chrf   61.05   nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0
    ter ↓  44.80   nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0

Shares are in percent, as papers print them. The signature says how a number was made: numbers of
different signatures must not be compared (Post, "A Call for Clarity in Reporting BLEU Scores",
2018).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import DataError
from manyheads.tasks.metrics import Scores

# The references of each example; those of one example may be fewer than those of another.
References = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class TextScore:
    """One number for all texts, and how it was made."""

    value: float
    signature: str


@dataclass(frozen=True)
class TextScores(Scores):
    """Scores of generated texts, by the names of their metrics; print it for a table."""

    count: int
    scores: Mapping[str, TextScore]
    costs: frozenset[str]  # where less is better

    def numbers(self) -> dict[str, float]:
        """Return every score by its name."""
        return {name: score.value for name, score in self.scores.items()}

    @property
    def signatures(self) -> dict[str, str]:
        """How each number was made."""
        return {name: score.signature for name, score in self.scores.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the scores and their signatures as JSON."""
        return {"count": self.count, **self.numbers(), "signatures": self.signatures}

    def __str__(self) -> str:
        names = {name: f"{name} ↓" if name in self.costs else name for name in self.scores}
        width = max(map(len, names.values()))
        return "\n".join(
            f"{names[name]:<{width}}  {score.value:6.2f}   {score.signature}"
            for name, score in self.scores.items()
        )


@dataclass(frozen=True)
class LanguageModelScores(Scores):
    """How well a language model foretells a text; what it reads in is not comparable, bytes are."""

    tokens: int
    bytes: int
    perplexity: float
    bits_per_byte: float


class TextMetric(Protocol):
    """A metric of texts. Its settings are its fields."""

    @property
    def name(self) -> str:
        """The name of its score, as `TextScores` and the recipe's `metric` have it."""

    @property
    def lower_is_better(self) -> bool:
        """Whether it counts errors."""

    def score(self, references: References, predicted: Sequence[str]) -> TextScore:
        """Score all texts at once."""


@dataclass(frozen=True)
class Statistics:
    """What a metric counts in each of N examples, (N, K), so that sums of rows give its score."""

    rows_NK: NDArray[np.float64]
    value_of: Callable[[NDArray[np.float64]], float]  # of sums (K)
    signature: str


class SummedMetric(ABC):
    """A metric that needs no more of a corpus than sums over its examples.

    Any part of the examples is then scored at once, as `significance.compare` does by thousands.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of its score."""

    @property
    @abstractmethod
    def lower_is_better(self) -> bool:
        """Whether it counts errors."""

    @abstractmethod
    def statistics(self, references: References, predicted: Sequence[str]) -> Statistics:
        """Count what the score needs in each example."""

    def score(self, references: References, predicted: Sequence[str]) -> TextScore:
        """Score all texts at once."""
        statistics = self.statistics(references, predicted)
        value = statistics.value_of(statistics.rows_NK.sum(axis=0))
        return TextScore(value, statistics.signature)


def text_scores(
    expected: Sequence[str | Sequence[str]],
    predicted: Sequence[str],
    metrics: Sequence[TextMetric],
) -> TextScores:
    """Score generated texts.

    `expected` holds the reference of each text, or several of them. Raises `DataError` for no
    texts, texts that do not match, an example without a reference or metrics of one name;
    `MissingExtra` where the library of a metric is not installed.
    """
    names = [metric.name for metric in metrics]
    if not names or len(set(names)) < len(names):
        raise DataError(f"metrics {names} cannot be told apart; give at least one, each name once")
    references = as_references(expected, predicted)
    return TextScores(
        count=len(predicted),
        scores={metric.name: metric.score(references, predicted) for metric in metrics},
        costs=frozenset(metric.name for metric in metrics if metric.lower_is_better),
    )


def language_model_scores(nats: float, tokens: int, text_bytes: int) -> LanguageModelScores:
    """Return what the summed negative log-likelihood of a text says, in nats.

    Perplexity is per token, so it depends on the tokenizer; bits per byte of UTF-8 do not. Raises
    `DataError` where there is nothing to divide by.
    """
    if tokens < 1 or text_bytes < 1:
        raise DataError(f"{tokens} tokens of {text_bytes} bytes cannot be scored; give at least 1")
    per_token = nats / tokens
    return LanguageModelScores(
        tokens=tokens,
        bytes=text_bytes,
        perplexity=math.exp(per_token) if per_token < _LARGEST_EXPONENT else math.inf,
        bits_per_byte=nats / math.log(2) / text_bytes,
    )


_LARGEST_EXPONENT = math.log(np.finfo(np.float64).max)


def as_references(
    expected: Sequence[str | Sequence[str]], predicted: Sequence[str]
) -> list[tuple[str, ...]]:
    """Return the references of each text; raises `DataError` where they do not match the texts."""
    if not expected:
        raise DataError("there are no texts to score")
    if len(expected) != len(predicted):
        raise DataError(f"{len(predicted)} texts for {len(expected)} references; give one for each")
    references = [(one,) if isinstance(one, str) else tuple(one) for one in expected]
    for row, (some, text) in enumerate(zip(references, predicted, strict=True), start=1):
        if not some:
            raise DataError(f"example {row} has no reference; give it one or leave it out")
        if not all(isinstance(one, str) for one in (*some, text)):
            raise DataError(f"example {row} holds {(*some, text)!r}; texts must be strings")
    return references


def count_references(references: References) -> str:
    """Return how many references each example has, as a signature says it."""
    counts = {len(some) for some in references}
    return str(counts.pop()) if len(counts) == 1 else "var"


def share_of_sums(sums_K: NDArray[np.float64]) -> float:
    """Return 100 times the first sum over the second; 0 of nothing is 0, else 100."""
    counted, whole = float(sums_K[0]), float(sums_K[1])
    return 100.0 * counted / whole if whole else 100.0 * bool(counted)
