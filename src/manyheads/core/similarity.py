"""How near two vectors are."""

from __future__ import annotations

from enum import Enum

import numpy as np

from manyheads.errors import ConfigError


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
