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
        self.similarity = similarity
        self._near = Similarity.DOT if similarity is Similarity.COSINE else similarity
        self._graph = graph

    @property
    def has_graph(self) -> bool:
        """Whether there are so many vectors that not all are compared with a query."""
        return self._graph is not None

    @classmethod
    def build(cls, vectors_NE: np.ndarray, similarity: Similarity) -> Self:
        """Index vectors; raises `MissingExtra` without usearch, where there are many."""
        if similarity is Similarity.COSINE:
            vectors_NE = unit_length(vectors_NE)
        return cls(vectors_NE[:0], similarity).extended(vectors_NE)

    def extended(self, vectors_NE: np.ndarray) -> Self:
        """Return an index with more vectors behind those of this one, which stays as it is."""
        all_NE = np.concatenate((self.vectors, vectors_NE))
        if len(all_NE) <= EXACT or self.similarity not in _METRICS:
            return type(self)(all_NE, self.similarity)
        if self._graph is None:
            graph, known = _graph(all_NE.shape[1], self.similarity), 0
        else:
            graph, known = self._graph.copy(), len(self.vectors)
        graph.add(np.arange(known, len(all_NE)), all_NE[known:])
        return type(self)(all_NE, self.similarity, graph)

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
        """Write the index as files of a folder."""
        np.save(folder / _VECTORS, self.vectors)
        if self._graph is not None:
            self._graph.save(folder / _GRAPH)

    def search(
        self, query_E: np.ndarray, n: int, alive_N: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the `n` nearest passages that are alive, and how near they are: (n), (n)."""
        if self.similarity is Similarity.COSINE:
            query_E = unit_length(query_E)
        rows = self._proposed(query_E, n, alive_N)
        order, scores = best(self._scores(query_E, self.vectors[rows]), n)
        return rows[order], scores

    def _proposed(self, query_E: np.ndarray, n: int, alive_N: np.ndarray) -> np.ndarray:
        """Return passages that are alive (P), among them the nearest, in their order."""
        living = np.flatnonzero(alive_N)
        if self._graph is None or len(living) <= EXACT:
            return living
        count = n
        while count < len(alive_N):
            rows = np.sort(self._graph.search(query_E, count).keys.astype(np.int64))
            rows = rows[alive_N[rows]]
            if len(rows) >= n:
                return rows
            count *= 2
        return living  # a graph that several threads built may not lead to every passage

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
