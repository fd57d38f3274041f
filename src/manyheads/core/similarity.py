"""How near two vectors are."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import numpy as np

from manyheads.errors import ConfigError

_BLOCK = 1 << 24  # numbers of one block of similarities: 64 megabytes of float32


class Similarity(Enum):
    """How two vectors are compared: more is nearer."""

    COSINE = "cosine"
    DOT = "dot"
    EUCLIDEAN = "euclidean"  # the distance, negative
    MANHATTAN = "manhattan"  # the distance, negative

    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return how near each vector of `a` (M, E) is to each of `b` (N, E): (M, N)."""
        from scipy.spatial.distance import cdist

        match self:
            case Similarity.DOT:
                return np.asarray(a @ b.T)
            case Similarity.COSINE:
                return np.asarray(unit_length(a) @ unit_length(b).T)
            case Similarity.EUCLIDEAN:
                return np.asarray(-cdist(a, b), dtype=a.dtype)
            case Similarity.MANHATTAN:
                return np.asarray(-cdist(a, b, "cityblock"), dtype=a.dtype)


def unit_length(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (N, E) divided by their lengths; those of no length stay as they are."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(1e-12)


def kept_dimensions(wanted: int | None, there: int) -> int:
    """Return how many of a vector's dimensions are kept: all, or as many as are wanted.

    Raises `ConfigError` for a number that a vector has not.
    """
    if wanted is None:
        return there
    if not 1 <= wanted <= there:
        raise ConfigError(f"dimensions={wanted} of vectors that have {there}; choose 1 to {there}")
    return wanted


def shortened(vectors: np.ndarray, dimensions: int, is_unit: bool) -> np.ndarray:
    """Return the first `dimensions` of vectors (N, E), at unit length again where they had it.

    Matryoshka representations (Kusupati et al. 2022) are good at each of several lengths.
    """
    kept = vectors[..., :dimensions]
    return unit_length(kept) if is_unit else kept


def mean_of_windows(vectors: np.ndarray, tokens: np.ndarray, is_unit: bool) -> np.ndarray:
    """Return the vector (E) of a text of its windows' (W, E): their mean by tokens (W)."""
    mean = tokens @ vectors / tokens.sum()
    return unit_length(mean) if is_unit else mean


def nearest(
    near: Callable[[slice], np.ndarray], queries: int, documents: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the `count` nearest documents of each query, (Q, count), the nearest
    first, and how near they are, (Q, count); fewer where there are fewer.

    Exact: `near` returns how near some queries are to all documents, (M, N), and is asked for so
    many queries at a time that all of it stays small. Of equally near ones the first comes first.
    """
    count = min(count, documents)
    found = [np.empty((0, count), dtype=np.int64)]
    values = [np.empty((0, count), dtype=np.float32)]
    rows = max(1, _BLOCK // max(1, documents))
    for start in range(0, queries, rows):
        near_MN = near(slice(start, min(start + rows, queries)))
        best = np.argpartition(-near_MN, count - 1, axis=1)[:, :count]
        best.sort(axis=1)
        order = np.argsort(-np.take_along_axis(near_MN, best, 1), axis=1, kind="stable")
        best = np.take_along_axis(best, order, 1)
        found.append(best)
        values.append(np.take_along_axis(near_MN, best, 1))
    return np.concatenate(found), np.concatenate(values)
