"""Clusters of vectors, and how many of them there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from manyheads.core.similarity import unit_length
from manyheads.errors import MissingExtra

_COMPONENTS = 50  # directions that are kept: the others are noise to distances
_SAMPLE = 2000  # vectors that decide how many clusters there are
_CANDIDATES = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60)
_FEWEST = 15  # vectors in a cluster on average
_CLEAR = 1e-3  # by which a silhouette is better than that of fewer clusters
_FENCE = 1.5  # times the distance of the quartiles beyond the upper one (Tukey 1977)


@dataclass(frozen=True, eq=False)
class Clusters:
    """Where each of N vectors belongs.

    Attributes:
        cluster_N: The number of its cluster, the largest one 0; -1 for an outlier.
        centers_CE: The mean of each cluster, at unit length.
        reason: Why there are so many clusters.
    """

    cluster_N: np.ndarray
    centers_CE: np.ndarray
    reason: str


def clusters_of(vectors_NE: np.ndarray, count: int | None, seed: int) -> Clusters:
    """Return k-means clusters of unit vectors, so many, or as the silhouettes say.

    What is much farther from its centre than the others of its cluster is an outlier. The same
    vectors and the same seed give the same clusters. Raises `MissingExtra` without scikit-learn.
    """
    kept_NK = principal(vectors_NE, _COMPONENTS)
    count, reason = _chosen(kept_NK, seed) if count is None else (count, f"{count} as asked for")
    cluster_N = _kmeans(kept_NK, count, seed)
    cluster_N = _largest_first(cluster_N)
    members = [vectors_NE[cluster_N == one] for one in range(int(cluster_N.max()) + 1)]
    centers_CE = unit_length(np.stack([one.mean(0) for one in members]))
    return Clusters(_without_outliers(vectors_NE, cluster_N, centers_CE), centers_CE, reason)


def principal(vectors_NE: np.ndarray, components: int) -> np.ndarray:
    """Return vectors by their principal components (N, K); K is less where there is less."""
    centered_NE = (vectors_NE - vectors_NE.mean(0)).astype(np.float64)
    _, axes_EE = np.linalg.eigh(centered_NE.T @ centered_NE)
    kept = min(components, *vectors_NE.shape)
    found: np.ndarray = centered_NE @ axes_EE[:, ::-1][:, :kept]
    return found


def _chosen(vectors_NK: np.ndarray, seed: int) -> tuple[int, str]:
    """Return the number of clusters with the highest mean silhouette, and a line that says so."""
    from sklearn.metrics import silhouette_score

    draw = np.random.default_rng(seed)
    sample_MK = vectors_NK
    if len(vectors_NK) > _SAMPLE:
        sample_MK = vectors_NK[np.sort(draw.choice(len(vectors_NK), _SAMPLE, replace=False))]
    distinct = len(np.unique(sample_MK, axis=0))
    tried = [one for one in _CANDIDATES if one * _FEWEST <= len(sample_MK) and one < distinct]
    if not tried:
        different = f", {distinct} of them different," if distinct < len(sample_MK) else ""
        return 1, f"1, because {len(vectors_NK)} texts{different} are too few to be told apart"
    scores = {
        one: float(silhouette_score(sample_MK, _kmeans(sample_MK, one, seed))) for one in tried
    }
    best = max(scores.values())
    count = next(one for one in tried if scores[one] >= best - _CLEAR)
    numbers = ", ".join(map(str, tried))
    return count, (
        f"{count}, which have the highest mean silhouette ({scores[count]:.3f}, over "
        f"{len(sample_MK):,} texts) of {numbers}"
    )


def _kmeans(vectors_NK: np.ndarray, count: int, seed: int) -> np.ndarray:
    try:
        from sklearn.cluster import KMeans
    except ImportError:
        raise MissingExtra("scikit-learn", "eval", "finding topics") from None
    found: np.ndarray = KMeans(count, n_init=4, random_state=seed).fit_predict(vectors_NK)
    return found


def _largest_first(cluster_N: np.ndarray) -> np.ndarray:
    """Return the clusters numbered by size; of equals that of the first vector comes first."""
    names, firsts, sizes = np.unique(cluster_N, return_index=True, return_counts=True)
    rank = np.empty(int(names.max()) + 1, np.int64)
    rank[names[np.lexsort((firsts, -sizes))]] = np.arange(len(names))
    renamed: np.ndarray = rank[cluster_N]
    return renamed


def _without_outliers(
    vectors_NE: np.ndarray, cluster_N: np.ndarray, centers_CE: np.ndarray
) -> np.ndarray:
    far_N = 1 - (vectors_NE * centers_CE[cluster_N]).sum(1)
    kept_N = cluster_N.copy()
    for one in range(len(centers_CE)):
        own = far_N[cluster_N == one]
        low, high = np.quantile(own, (0.25, 0.75))
        kept_N[(cluster_N == one) & (far_N > high + _FENCE * (high - low) + 1e-6)] = -1
    return kept_N
