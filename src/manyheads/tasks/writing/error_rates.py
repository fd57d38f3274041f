"""Word and character error rates, by jiwer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from manyheads.errors import MissingExtra
from manyheads.tasks.writing.scores import References, Statistics, SummedMetric, share_of_sums


@dataclass(frozen=True)
class WordErrors(SummedMetric):
    """WER: words to replace, take out or put in, for each word of the reference.

    Words are what white space separates. Of several references the nearest counts.
    """

    lowercase: bool = False

    name = "wer"
    lower_is_better = True

    def statistics(self, references: References, predicted: Sequence[str]) -> Statistics:
        """Count errors and words of the nearest reference."""
        return _statistics(_jiwer().process_words, references, predicted, self.lowercase)


@dataclass(frozen=True)
class CharacterErrors(SummedMetric):
    """CER: characters to replace, take out or put in, for each character of the reference.

    Spaces are characters too, but for those around a text. Of several references the nearest
    counts.
    """

    lowercase: bool = False

    name = "cer"
    lower_is_better = True

    def statistics(self, references: References, predicted: Sequence[str]) -> Statistics:
        """Count errors and characters of the nearest reference."""
        return _statistics(_jiwer().process_characters, references, predicted, self.lowercase)


def _jiwer() -> Any:
    try:
        import jiwer
    except ImportError:
        raise MissingExtra("jiwer", "eval", "the metrics WER and CER") from None
    return jiwer


def _statistics(
    process: Any, references: References, predicted: Sequence[str], lowercase: bool
) -> Statistics:
    pairs = [
        (reference, text)
        for some, text in zip(references, predicted, strict=True)
        for reference in some
    ]
    if lowercase:
        pairs = [(reference.lower(), text.lower()) for reference, text in pairs]
    aligned = process([reference for reference, _ in pairs], [text for _, text in pairs])
    counts = iter(zip(map(_errors, aligned.alignments), map(len, aligned.references), strict=True))
    nearest = [min((next(counts) for _ in some), key=_rate) for some in references]
    case = "lc" if lowercase else "mixed"
    refs = "|refs:nearest" if len(pairs) > len(references) else ""
    signature = f"case:{case}{refs}|version:jiwer-{version('jiwer')}"
    return Statistics(np.array(nearest, dtype=np.float64), share_of_sums, signature)


def _errors(chunks: Sequence[Any]) -> int:
    """Count the errors of an alignment: a chunk replaces, takes out or puts in so many tokens."""
    return sum(
        max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
        for chunk in chunks
        if chunk.type != "equal"
    )


def _rate(counts: tuple[int, int]) -> tuple[float, int]:
    errors, length = counts
    return errors / max(1, length), errors
