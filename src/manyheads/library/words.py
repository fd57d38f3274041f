"""Search by words: BM25 (Robertson and Zaragoza 2009), as the library bm25s computes it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from manyheads.errors import MissingExtra
from manyheads.text.scripts import UNSPACED

if TYPE_CHECKING:
    from bm25s import BM25

_RUN = re.compile(rf"[{UNSPACED}]+|[^\W{UNSPACED}]+")
_UNSPACED = re.compile(f"[{UNSPACED}]")


def words_of(text: str) -> list[str]:
    """Return the words that a text is found by, in lower case.

    Of scripts without spaces they are the characters, and each pair of neighbours.
    """
    words: list[str] = []
    for run in _RUN.findall(unicodedata.normalize("NFKC", text).casefold()):
        if _UNSPACED.match(run):
            words += run
            words += (a + b for a, b in pairwise(run))
        else:
            words.append(run)
    return words


class WordIndex:
    """Which words stand in which of N passages; None knows passages without any word."""

    def __init__(self, scorer: BM25 | None) -> None:
        self._scorer = scorer

    @classmethod
    def build(cls, texts: Sequence[str]) -> Self:
        """Index passages by their words; raises `MissingExtra` without bm25s."""
        words = [words_of(text) for text in texts]
        scorer = _bm25()()
        if not any(words):
            return cls(None)
        scorer.index(words, show_progress=False)
        return cls(scorer)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open what `save` wrote, without reading all of it."""
        if not any(folder.iterdir()):
            return cls(None)
        return cls(_bm25().load(folder, mmap=True, show_progress=False))

    def save(self, folder: Path) -> None:
        """Write the index as files of a new folder."""
        folder.mkdir()
        if self._scorer is not None:
            self._scorer.save(folder, show_progress=False)

    def search(self, query: str, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the `n` best passages that share a word with the query, and scores: (n), (n)."""
        words = words_of(query)
        if self._scorer is None or not words:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        return best(self._scorer.get_scores(words), n, above=0.0)


def best(scores_N: np.ndarray, n: int, above: float = -np.inf) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the `n` largest scores above a limit, and these; of equals the first."""
    kept = np.argpartition(-scores_N, n - 1)[:n] if n < len(scores_N) else np.arange(len(scores_N))
    kept = np.sort(kept[scores_N[kept] > above])
    rows = kept[np.argsort(-scores_N[kept], kind="stable")]
    return rows, scores_N[rows]


def _bm25() -> type[BM25]:
    try:
        from bm25s import BM25
    except ImportError:
        raise MissingExtra("bm25s", "search", "searching by words") from None
    scorer: type[BM25] = BM25
    return scorer
