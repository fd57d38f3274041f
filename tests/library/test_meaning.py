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
    made.save(tmp_path / "meaning")
    has_graph = exact == 0 and similarity is not Similarity.MANHATTAN
    assert (tmp_path / "meaning" / "graph.usearch").exists() == has_graph
    for index in (made, VectorIndex.open(tmp_path / "meaning", similarity)):
        rows, scores = index.search(QUERY, 10)
        assert rows.tolist() == order.tolist()
        np.testing.assert_allclose(scores, near[order], rtol=1e-4, atol=1e-5)
        assert len(index.search(QUERY, 600)[0]) == 500
