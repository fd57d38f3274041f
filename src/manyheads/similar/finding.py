"""Find what a collection of texts is about: clusters of their vectors, with words and examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from manyheads.errors import ConfigError
from manyheads.similar.clusters import clusters_of
from manyheads.similar.naming import topic_words
from manyheads.similar.topic import Topic, Topics
from manyheads.similar.vectors import Progress, Vectors, unit_vectors
from manyheads.text.several import several

_WORDS = 8  # that name a topic
_EXAMPLES = 5  # texts of a topic
_ALIKE = 0.9  # cosine: an example that is nearer to another one says nothing new


def topics(
    texts: Sequence[str],
    embedder: Vectors,
    n: int | None = None,
    *,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> Topics:
    """Find what texts are about: `n` topics, or as many as stand apart best.

    Clusters of k-means over the principal components of vectors; without `n` those with the highest
    mean silhouette (Rousseeuw 1987). `embedder` may also be vectors (N, E). The same texts and the
    same seed give the same topics.

    Raises `ConfigError` for n below 1 or above the number of texts; `DataError` for texts that are
    none; `MissingExtra` without scikit-learn.
    """
    texts = several(texts)
    if n is not None and not 1 <= n <= len(set(texts)):
        raise ConfigError(
            f"n={n} topics of {len(set(texts))} distinct texts; choose 1 to {len(set(texts))}"
        )
    vectors_NE = unit_vectors(texts, embedder, progress)
    found = clusters_of(vectors_NE, n, seed)
    count = len(found.centers_CE)
    words = topic_words(texts, found.cluster_N, count, _WORDS)
    made = [
        Topic(
            number,
            int((found.cluster_N == number).sum()),
            words[number],
            _examples(vectors_NE, np.flatnonzero(found.cluster_N == number), center_E),
        )
        for number, center_E in enumerate(found.centers_CE)
    ]
    return Topics(made, found.cluster_N, found.reason, texts, vectors_NE, seed)


def _examples(vectors_NE: np.ndarray, rows: np.ndarray, center_E: np.ndarray) -> tuple[int, ...]:
    """Return rows near a centre that are not alike, the nearest first."""
    chosen: list[int] = []
    for row in rows[np.argsort(-(vectors_NE[rows] @ center_E), kind="stable")].tolist():
        if not chosen or (vectors_NE[chosen] @ vectors_NE[row]).max() < _ALIKE:
            chosen.append(row)
        if len(chosen) == _EXAMPLES:
            break
    return tuple(chosen)
