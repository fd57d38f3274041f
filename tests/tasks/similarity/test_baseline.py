"""The search by words that vectors have to beat."""

from __future__ import annotations

import pytest

from manyheads.tasks.similarity.baseline import search_by_words

pytest.importorskip("bm25s")


def test_documents_that_share_the_rarest_words_come_first() -> None:
    documents = ["the cat sleeps", "the lake is deep", "他去图书馆", "a lake, the lake", "..."]
    queries = ["lake", "the deep", "图书馆在哪", "zebra", "?"]
    found = search_by_words(queries, documents, 2)
    assert found == [[3, 1], [1, 0], [2], [], []]
    assert search_by_words(["a"], ["...", "!"], 2) == [[]]
