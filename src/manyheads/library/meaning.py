"""Search by meaning: the passages whose vectors are nearest to that of a query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from manyheads.core.similarity import Similarity, unit_length
from manyheads.errors import MissingExtra
from manyheads.library.words import best

if TYPE_CHECKING:
    from usearch.index import Index

EXACT = 4096  # vectors: so many are compared one by one in less than a millisecond or two
_METRICS = {Similarity.COSINE: "ip", Similarity.DOT: "ip", Similarity.EUCLIDEAN: "l2sq"}
_VECTORS = "vectors.npy"
_GRAPH = "graph.usearch"
# How much of the graph is looked at: of 20,000 real passages it then finds 99 of 100 neighbours.
_EXPANSION_ADD = 128
_EXPANSION_SEARCH = 128


class VectorIndex:
    """Vectors of N passages (N, E), and beyond some thousands a graph of neighbours (HNSW).

    The graph only proposes passages: how near they are is computed exactly. Vectors that are
    compared by cosines have unit length.
    """

    def __init__(
        self, vectors_NE: np.ndarray, similarity: Similarity, graph: Index | None = None
    ) -> None:
        self.vectors = vectors_NE
        self._similarity = similarity
        self._near = Similarity.DOT if similarity is Similarity.COSINE else similarity
        self._graph = graph

    @classmethod
    def build(cls, vectors_NE: np.ndarray, similarity: Similarity) -> Self:
        """Index vectors; raises `MissingExtra` without usearch, where there are many."""
        if similarity is Similarity.COSINE:
            vectors_NE = unit_length(vectors_NE)
        if len(vectors_NE) <= EXACT or similarity not in _METRICS:
            return cls(vectors_NE, similarity)
        graph = _graph(vectors_NE.shape[1], similarity)
        graph.add(np.arange(len(vectors_NE)), vectors_NE)
        return cls(vectors_NE, similarity, graph)

    @classmethod
    def open(cls, folder: Path, similarity: Similarity) -> Self:
        """Open what `save` wrote, without reading all of it."""
        vectors_NE = np.load(folder / _VECTORS, mmap_mode="r")
        if not (folder / _GRAPH).exists():
            return cls(vectors_NE, similarity)
        graph = _graph(vectors_NE.shape[1], similarity)
        graph.view(folder / _GRAPH)
        return cls(vectors_NE, similarity, graph)

    def save(self, folder: Path) -> None:
        """Write the index as files of a new folder."""
        folder.mkdir()
        np.save(folder / _VECTORS, self.vectors)
        if self._graph is not None:
            self._graph.save(folder / _GRAPH)

    def search(self, query_E: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the `n` nearest passages, the nearest first, and how near they are: (n), (n)."""
        if self._similarity is Similarity.COSINE:
            query_E = unit_length(query_E)
        if self._graph is None:
            return best(self._scores(query_E, self.vectors), n)
        rows = np.sort(self._graph.search(query_E, n).keys.astype(np.int64))
        order, scores = best(self._scores(query_E, self.vectors[rows]), n)
        return rows[order], scores

    def _scores(self, query_E: np.ndarray, vectors_NE: np.ndarray) -> np.ndarray:
        scores: np.ndarray = self._near(query_E[None], vectors_NE)[0]
        return scores


def _graph(dimensions: int, similarity: Similarity) -> Index:
    try:
        from usearch.index import Index
    except ImportError:
        raise MissingExtra("usearch", "search", "searching many passages by meaning") from None
    return Index(
        ndim=dimensions,
        metric=_METRICS[similarity],
        dtype="f32",
        expansion_add=_EXPANSION_ADD,
        expansion_search=_EXPANSION_SEARCH,
    )
