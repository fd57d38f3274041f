"""BM25 over words of any script."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from manyheads.library.words import WordIndex, best, words_of


def test_words_of_any_script() -> None:
    assert words_of("Straße, C3PO! don't") == ["strasse", "c3po", "don", "t"]
    assert words_of("去图书馆 now") == ["去", "图", "书", "馆", "去图", "图书", "书馆", "now"]
    assert words_of("ＡＢＣ ...") == ["abc"]


def test_scores_are_those_of_the_formula(tmp_path: Path) -> None:
    texts = ["a b b", "b c c c c", "d"]
    index = WordIndex.build(texts)
    rows, scores = index.search("b zzz", 5)
    mean = np.mean([len(text.split()) for text in texts])
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))

    def expected(count: int, length: int) -> float:
        return idf * count / (count + 1.5 * (1 - 0.75 + 0.75 * length / mean))

    assert rows.tolist() == [0, 1]
    np.testing.assert_allclose(scores, [expected(2, 3), expected(1, 5)], rtol=1e-5)
    index.save(tmp_path / "words")
    for before, after in zip(
        (rows, scores), WordIndex.open(tmp_path / "words").search("b zzz", 5), strict=True
    ):
        np.testing.assert_array_equal(before, after)


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    index = WordIndex.build(["...", "!"])
    index.save(tmp_path / "words")
    for one in (index, WordIndex.open(tmp_path / "words"), WordIndex.build(["a"])):
        assert one.search("b", 3)[0].tolist() == [] == one.search("?", 3)[0].tolist()


@pytest.mark.parametrize("n", [1, 2, 3, 9])
def test_of_equals_the_first(n: int) -> None:
    rows, scores = best(np.array([1.0, 3.0, 3.0, 0.0]), n, above=0.0)
    assert rows.tolist() == [1, 2, 0][:n] and scores.tolist() == [3.0, 3.0, 1.0][:n]
