"""BLEU, chrF and TER by sacrebleu, NIST by nltk."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from typing import Any

import numpy as np

from manyheads.errors import DataError, MissingExtra
from manyheads.tasks.writing.scores import (
    References,
    Statistics,
    SummedMetric,
    TextMetric,
    TextScore,
    count_references,
)
from manyheads.text.scripts import is_unspaced_language


class Tokenisation(StrEnum):
    """How BLEU and NIST take texts apart, by sacrebleu's names."""

    WMT = "13a"  # mteval-v13a.pl: words and punctuation of languages with spaces
    INTERNATIONAL = "intl"
    CHINESE = "zh"  # each Han character, and the words between them
    JAPANESE = "ja-mecab"  # needs sacrebleu[ja]
    KOREAN = "ko-mecab"  # needs sacrebleu[ko]
    CHARACTERS = "char"
    NONE = "none"  # the texts are tokenised already

    @classmethod
    def of_language(cls, code: str) -> Tokenisation:
        """Return what is usual for texts in a language, such as ``de`` or ``zh-TW``.

        Japanese without MeCab, and other languages without spaces, are taken by characters.
        """
        language = code.lower().replace("_", "-").partition("-")[0]
        if language in ("zh", "yue"):
            return cls.CHINESE
        if language == "ja" and _has_mecab():
            return cls.JAPANESE
        return cls.CHARACTERS if is_unspaced_language(language) else cls.WMT


@dataclass(frozen=True)
class Bleu(SummedMetric):
    """BLEU of up to four words, smoothed for the whole corpus (Papineni et al., 2002)."""

    tokenisation: Tokenisation = Tokenisation.WMT
    lowercase: bool = False

    name = "bleu"
    lower_is_better = False

    def statistics(self, references: References, predicted: Sequence[str]) -> Statistics:
        """Count matches, n-grams and lengths."""
        return _statistics(_bleu(self.tokenisation, self.lowercase), references, predicted)


@dataclass(frozen=True)
class Chrf(SummedMetric):
    """chrF, the F score of up to six characters (Popović, 2015); chrF++ with `words` = 2."""

    words: int = 0
    lowercase: bool = False

    name = "chrf"
    lower_is_better = False

    def statistics(self, references: References, predicted: Sequence[str]) -> Statistics:
        """Count matches and n-grams of both sides."""
        chrf = _sacrebleu().CHRF(word_order=self.words, lowercase=self.lowercase)
        return _statistics(chrf, references, predicted)


@dataclass(frozen=True)
class Ter(SummedMetric):
    """TER, edits and shifts of phrases for each word of the reference (Snover et al., 2006).

    `characters` takes punctuation off the words and Chinese and Japanese apart; without it words
    are what white space separates.
    """

    characters: bool = False
    lowercase: bool = True

    name = "ter"
    lower_is_better = True

    def statistics(self, references: References, predicted: Sequence[str]) -> Statistics:
        """Count edits and words of the references."""
        ter = _sacrebleu().TER(
            normalized=self.characters,
            asian_support=self.characters,
            case_sensitive=not self.lowercase,
        )
        return _statistics(ter, references, predicted)


@dataclass(frozen=True)
class Nist:
    """NIST, matches of up to five words weighed by how much they tell (Doddington, 2002).

    Where no output has five words, the longest n-grams that there are count as the longest.
    """

    tokenisation: Tokenisation = Tokenisation.WMT
    lowercase: bool = True

    name = "nist"
    lower_is_better = False

    def score(self, references: References, predicted: Sequence[str]) -> TextScore:
        """Score all texts at once; raises `DataError` where the references hold no words."""
        try:
            from nltk.translate.nist_score import corpus_nist
        except ImportError:
            raise MissingExtra("nltk", "eval", "the metric NIST") from None
        tokenizer = _bleu(self.tokenisation, self.lowercase).tokenizer

        def words(text: str) -> list[str]:
            tokens: str = tokenizer(text.lower() if self.lowercase else text)
            return tokens.split()

        wanted = [[words(reference) for reference in some] for some in references]
        given = [words(text) for text in predicted]
        if not any(some for row in wanted for some in row):
            raise DataError("the references hold no words; NIST weighs words by them")
        order = min(5, max(map(len, given)))
        case = "lc" if self.lowercase else "mixed"
        signature = f"nrefs:{count_references(references)}|case:{case}|tok:{self.tokenisation}"
        return TextScore(
            float(corpus_nist(wanted, given, n=order)) if order else 0.0,
            f"{signature}|n:{order}|version:nltk-{version('nltk')}",
        )


def translation_metrics(language: str = "en") -> tuple[TextMetric, ...]:
    """Return BLEU, chrF and TER as they are usual for texts in a language."""
    tokenisation = Tokenisation.of_language(language)
    return (Bleu(tokenisation), Chrf(), Ter(characters=is_unspaced_language(language)))


def _has_mecab() -> bool:
    return all(importlib.util.find_spec(name) for name in ("MeCab", "ipadic"))


def _sacrebleu() -> Any:
    try:
        from sacrebleu import metrics
    except ImportError:
        raise MissingExtra("sacrebleu", "eval", "the metrics BLEU, chrF, TER and NIST") from None
    return metrics


def _bleu(tokenisation: Tokenisation, lowercase: bool) -> Any:
    try:
        return _sacrebleu().BLEU(tokenize=str(tokenisation), lowercase=lowercase, force=True)
    except RuntimeError:
        extra = tokenisation.partition("-")[0]
        raise DataError(
            f"the tokenisation {tokenisation} needs more: `pip install 'sacrebleu[{extra}]'`, "
            f"or choose {Tokenisation.CHARACTERS!r}"
        ) from None


def _statistics(metric: Any, references: References, predicted: Sequence[str]) -> Statistics:
    """Return sacrebleu's statistics, by the methods that its own significance tests are made of."""
    most = max(map(len, references))
    # A stream for the first reference of each example, one for the second, ...; None where missing.
    streams = [
        [some[number] if number < len(some) else None for some in references]
        for number in range(most)
    ]
    rows = metric._extract_corpus_statistics(predicted, streams)
    return Statistics(
        np.asarray(rows, dtype=np.float64),
        lambda sums_K: float(metric._compute_score_from_stats(sums_K.tolist()).score),
        str(metric.get_signature()),
    )
