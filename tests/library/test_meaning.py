"""Neighbours by vectors, beside comparing with all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from manyheads.core.similarity import Similarity
from manyheads.library import meaning
from manyheads.library.meaning import VectorIndex

DRAW = np.random.default_rng(0)
VECTORS = DRAW.normal(size=(500, 16)).astype(np.float32)
ALIVE = np.ones(len(VECTORS), bool)
QUERY = DRAW.normal(size=16).astype(np.float32)


@pytest.mark.parametrize("similarity", Similarity)
@pytest.mark.parametrize("exact", [0, 1000])
def test_the_nearest_are_found(
    similarity: Similarity, exact: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meaning, "EXACT", exact)
    near = similarity(QUERY[None], VECTORS)[0]
    order = np.argsort(-near)[:10]
    made = VectorIndex.build(VECTORS, similarity)
    (tmp_path / "meaning").mkdir()
    made.save(tmp_path / "meaning")
    has_graph = exact == 0 and similarity is not Similarity.MANHATTAN
    assert (tmp_path / "meaning" / "graph.usearch").exists() == has_graph
    opened = VectorIndex.open(tmp_path / "meaning", similarity)
    more = VectorIndex.build(VECTORS[:300], similarity).extended(made.vectors[300:])
    for index in (made, opened, more, opened.extended(VECTORS[:0])):
        rows, scores = index.search(QUERY, 10, ALIVE)
        found = len({*rows.tolist()} & {*order.tolist()})
        assert found >= (8 if has_graph else 10)  # a graph may miss one
        np.testing.assert_allclose(scores, near[rows], rtol=1e-4, atol=1e-5)
        assert (np.diff(scores) <= 0).all() and rows[0] == order[0]
        assert len(index.search(QUERY, 600, ALIVE)[0]) == 500


@pytest.mark.parametrize("exact", [0, 1000])
def test_what_is_gone_is_not_found(exact: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meaning, "EXACT", exact)
    order = np.argsort(-Similarity.COSINE(QUERY[None], VECTORS)[0])
    alive = ALIVE.copy()
    alive[order[:450]] = False
    index = VectorIndex.build(VECTORS, Similarity.COSINE)
    found = index.search(QUERY, 5, alive)[0]
    assert found[0] == order[450] and set(found) <= set(order[450:457])
    assert len(index.search(QUERY, 100, alive)[0]) == 50
