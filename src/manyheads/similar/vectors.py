"""Vectors of texts at unit length: made by a model, or given."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from manyheads.core.similarity import unit_length
from manyheads.errors import ConfigError, DataError
from manyheads.predict import Embedder

Vectors = Embedder | np.ndarray
Progress = Callable[[int], None]  # told of so many texts more


def unit_vectors(texts: Sequence[str], vectors: Vectors, progress: Progress) -> np.ndarray:
    """Return a vector of unit length for each text (N, E); equal texts are read once.

    Raises `DataError` without texts, or for one that is empty; `ConfigError` for an array of
    another shape.
    """
    if not len(texts):
        raise DataError("there are no texts; give at least one")
    for row, text in enumerate(texts, 1):
        if not isinstance(text, str) or not text.strip():
            what = "empty" if isinstance(text, str) else repr(text)
            raise DataError(f"text {row} is {what}; leave it out")
    if isinstance(vectors, np.ndarray):
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise ConfigError(
                f"vectors of shape {vectors.shape} for {len(texts)} texts; give a row for each"
            )
        return unit_length(vectors.astype(np.float32))
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    made = vectors.embed(list(places), progress=progress).vectors
    progress(len(texts) - len(places))
    return unit_length(made[[places[text] for text in texts]])
