"""Texts that say the same in other words: pairs of near vectors, and groups of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from manyheads.errors import ConfigError, MissingExtra
from manyheads.similar.vectors import Progress, Vectors, unit_vectors
from manyheads.text.several import several

EXACT = 50_000  # distinct texts: so many are all compared with each other
_BLOCK = 1 << 23  # similarities at a time: 32 megabytes
_NEIGHBOURS = 64  # of each text, where not all are compared
_ASKED = 4096  # texts whose nearest are looked for at a time


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Which of N texts say the same.

    Attributes:
        pairs: The rows (P, 2) of two texts each, the first before the second, the nearest first;
            of texts that are equal to the letter, only the first stands in pairs.
        similarities: The cosines of their vectors (P).
        groups: The rows of texts that pairs connect, equal ones with them, the largest group first.
    """

    pairs: np.ndarray
    similarities: np.ndarray
    groups: Sequence[tuple[int, ...]]

    @property
    def redundant(self) -> list[int]:
        """The rows that can go: all but the first of each group."""
        return sorted(row for group in self.groups for row in group[1:])


def duplicates(
    texts: Sequence[str],
    embedder: Vectors,
    threshold: float = 0.9,
    *,
    progress: Progress = lambda _: None,
) -> Duplicates:
    """Find texts whose vectors have a cosine of `threshold` or more.

    All pairs are compared, block by block; of more than 50,000 distinct texts only each with its
    nearest by a graph of neighbours, which may miss a few. `embedder` may also be vectors (N, E).

    Raises `ConfigError` for a threshold outside (0, 1]; `DataError` for texts that are none;
    `MissingExtra` without usearch, where there are many.
    """
    if not 0 < threshold <= 1:
        raise ConfigError(f"threshold={threshold} is no cosine of what is alike; choose 0.5 to 1")
    texts = several(texts)
    vectors_NE = unit_vectors(texts, embedder, progress)
    firsts: dict[str, int] = {}
    first_N = np.array([firsts.setdefault(text, row) for row, text in enumerate(texts)])
    rows_U = np.unique(first_N)
    find = _by_blocks if len(rows_U) <= EXACT else _by_graph
    found = list(find(vectors_NE[rows_U], threshold))
    pairs_P2 = rows_U[np.concatenate([np.empty((0, 2), np.int64), *(pairs for pairs, _ in found)])]
    near_P = np.concatenate([np.empty(0, np.float32), *(near for _, near in found)])
    order = np.lexsort((pairs_P2[:, 1], pairs_P2[:, 0], -near_P))
    return Duplicates(pairs_P2[order], near_P[order].clip(max=1.0), _groups(pairs_P2, first_N))


def _by_blocks(vectors_NE: np.ndarray, threshold: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield all pairs of rows that are near, and how near they are."""
    rows = max(1, _BLOCK // len(vectors_NE))
    for start in range(0, len(vectors_NE), rows):
        near_MN = vectors_NE[start : start + rows] @ vectors_NE[start:].T
        first, second = np.nonzero(np.triu(near_MN >= _lenient(threshold), 1))
        yield np.stack((first, second), 1) + start, near_MN[first, second]


def _by_graph(vectors_NE: np.ndarray, threshold: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pairs of rows that are near, as far as each is among the nearest of the other."""
    try:
        from usearch.index import Index
    except ImportError:
        raise MissingExtra("usearch", "search", "comparing many texts") from None
    graph = Index(ndim=vectors_NE.shape[1], metric="ip", dtype="f32")
    graph.add(np.arange(len(vectors_NE)), vectors_NE)
    seen = np.empty(0, np.int64)
    for start in range(0, len(vectors_NE), _ASKED):
        matches = graph.search(vectors_NE[start : start + _ASKED], _NEIGHBOURS)
        own = start + np.repeat(np.arange(len(matches.keys)), matches.keys.shape[1])
        pairs = np.sort(np.stack((own, matches.keys.ravel().astype(np.int64)), 1), 1)
        pairs = np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)
        codes = pairs[:, 0] * len(vectors_NE) + pairs[:, 1]
        pairs = pairs[~np.isin(codes, seen)]
        near = (vectors_NE[pairs[:, 0]] * vectors_NE[pairs[:, 1]]).sum(1)
        kept = near >= _lenient(threshold)
        seen = np.concatenate((seen, pairs[kept, 0] * len(vectors_NE) + pairs[kept, 1]))
        yield pairs[kept], near[kept]


def _lenient(threshold: float) -> float:
    """Return a threshold that rounding does not keep a pair of equal vectors from."""
    return threshold - 1e-6


def _groups(pairs_P2: np.ndarray, first_N: np.ndarray) -> list[tuple[int, ...]]:
    """Return the rows that pairs connect, or that are equal to a first one, of more than one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = np.arange(len(first_N))
    edges = np.concatenate((pairs_P2, np.stack((first_N, rows), 1)))
    links = coo_array((np.ones(len(edges), bool), edges.T), shape=(len(rows), len(rows)))
    _, group_N = connected_components(links, directed=False)
    order = np.argsort(group_N, kind="stable")
    borders = np.flatnonzero(np.diff(group_N[order])) + 1
    groups = [tuple(one.tolist()) for one in np.split(order, borders) if len(one) > 1]
    return sorted(groups, key=lambda group: (-len(group), group))
