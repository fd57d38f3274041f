"""What a search by vectors has to beat: BM25 (Robertson and Zaragoza 2009), by bm25s."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from manyheads.errors import MissingExtra
from manyheads.text.words import words_of

BM25 = "BM25"


def search_by_words(
    queries: Sequence[str], documents: Sequence[str], count: int
) -> list[list[int]]:
    """Return, for each query, the numbers of the `count` best documents, the best first.

    Fewer where fewer share a word with it. Raises `MissingExtra` without bm25s.
    """
    try:
        import bm25s
    except ImportError:
        raise MissingExtra("bm25s", "search", "comparing with a search by words") from None
    words = [words_of(document) for document in documents]
    if not any(words):
        return [[] for _ in queries]
    scorer = bm25s.BM25()
    scorer.index(words, show_progress=False)

    def found(query: str) -> list[int]:
        asked = words_of(query)
        if not asked:
            return []
        scores_N = scorer.get_scores(asked)
        order = np.argsort(-scores_N, kind="stable")[:count]
        rows: list[int] = order[scores_N[order] > 0].tolist()
        return rows

    return [found(query) for query in queries]
