"""BM25 over words of any script, in one index or several."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from manyheads.library.words import WordIndex, best, bm25
from manyheads.text.words import words_of

TEXTS = ["a b b", "b c c c c", "d", "去图书馆 b", "...", "a a d 图书 zebra", "c"]
QUERIES = ("b zzz", "a d d", "图书馆", "c zebra", "...")


def scores_of(index: WordIndex, query: str) -> np.ndarray:
    (scores_N,) = bm25(query, [index], [np.ones(len(index.lengths_N), bool)])
    return scores_N


def test_scores_are_those_of_the_formula() -> None:
    texts = TEXTS[:3]
    mean = np.mean([len(text.split()) for text in texts])
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))

    def expected(count: int, length: int) -> float:
        return idf * count / (count + 1.5 * (1 - 0.75 + 0.75 * length / mean))

    scores_N = scores_of(WordIndex.build(texts), "b zzz")
    np.testing.assert_allclose(scores_N, [expected(2, 3), expected(1, 5), 0], rtol=1e-5)


@pytest.mark.parametrize("query", QUERIES)
def test_scores_are_those_of_bm25s(query: str) -> None:
    scorer = pytest.importorskip("bm25s").BM25()
    scorer.index([words_of(text) for text in TEXTS], show_progress=False)
    theirs = scorer.get_scores(words_of(query)) if words_of(query) else np.zeros(len(TEXTS))
    np.testing.assert_allclose(scores_of(WordIndex.build(TEXTS), query), theirs, rtol=1e-5)


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("cuts", [(2, 5), (0, 1, 7), (3, 3)])
def test_several_indexes_are_as_one(query: str, cuts: tuple[int, ...]) -> None:
    borders = [0, *cuts, len(TEXTS)]
    pieces = [TEXTS[a:b] for a, b in pairwise(borders)]
    indexes = [WordIndex.build(piece) for piece in pieces]
    gone = np.array([one in (1, 5) for one in range(len(TEXTS))])
    alive = np.split(~gone, cuts)
    whole = scores_of(WordIndex.build([TEXTS[one] for one in np.flatnonzero(~gone)]), query)
    np.testing.assert_array_equal(np.concatenate(bm25(query, indexes, alive))[~gone], whole)
    joined = WordIndex.joined(indexes, alive)
    np.testing.assert_array_equal(scores_of(joined, query), whole)
    fresh = WordIndex.build([TEXTS[one] for one in np.flatnonzero(~gone)])
    assert joined.table.equals(fresh.table)


def test_nothing_is_found_where_nothing_is() -> None:
    for texts in (["...", "!"], ["a"], []):
        for query in ("b", "?"):
            assert not scores_of(WordIndex.build(texts), query).any()
    assert bm25("b", [], []) == []


@pytest.mark.parametrize("n", [1, 2, 3, 9])
def test_of_equals_the_first(n: int) -> None:
    rows, scores = best(np.array([1.0, 3.0, 3.0, 0.0]), n, above=0.0)
    assert rows.tolist() == [1, 2, 0][:n] and scores.tolist() == [3.0, 3.0, 1.0][:n]
