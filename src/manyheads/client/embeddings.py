"""Vectors as they come over the wire: the bytes of float32 in base64, a quarter of their digits."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from manyheads.client.wire import Item
from manyheads.errors import ServiceError


@dataclass(frozen=True)
class Embeddings:
    """Vectors of texts (N, E), float32; of each its tokens, and how many the model did not see."""

    vectors: np.ndarray
    tokens: list[int]
    truncated: list[int]

    @classmethod
    def of_items(cls, items: Sequence[Item], dimensions: int) -> Embeddings:
        """Return the vectors that a service answered; raises `ServiceError` for others."""
        vectors_NE = np.empty((len(items), dimensions), np.float32)
        for row, item in enumerate(items):
            vector = np.frombuffer(base64.b64decode(item["vector"]), "<f4")
            if vector.shape != (dimensions,):
                raise ServiceError(f"a vector of {len(vector)} numbers came, not of {dimensions}")
            vectors_NE[row] = vector
        tokens = [item["tokens"] for item in items]
        return cls(vectors_NE, tokens, [item["truncated"] for item in items])

    @classmethod
    def joined(cls, some: Sequence[Embeddings]) -> Embeddings:
        """Return those of several requests as one; raises `ServiceError` where they do not fit."""
        widths = sorted({one.vectors.shape[1] for one in some})
        if len(widths) > 1:
            raise ServiceError(
                f"vectors of {' and '.join(map(str, widths))} numbers came in one call; was the "
                "model replaced meanwhile? ask again"
            )
        return cls(
            np.concatenate([one.vectors for one in some]),
            [count for one in some for count in one.tokens],
            [count for one in some for count in one.truncated],
        )
