"""An encoder without a model: vectors that follow from the text alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

WIDTH = 6
TEXTS = [f"text {number}, as long as {'long ' * (number % 5)}" for number in range(23)]


def vectors(texts: Sequence[str]) -> np.ndarray:
    """Vectors (N, E) that differ wherever texts do."""
    digests = [hashlib.sha256(text.encode()).digest() for text in texts]
    rows = [np.frombuffer(one, "<u4")[:WIDTH] for one in digests]
    return np.array(rows, np.float32) / 2**32


class Counting:
    """Makes these vectors, and remembers of which texts; `watch` sees each call."""

    def __init__(
        self, watch: Callable[[Sequence[str]], None] = lambda _: None, model: str = "m"
    ) -> None:
        self.asked: list[str] = []
        self.facts: Mapping[str, Any] = {"model": model}
        self._watch = watch

    def encode(
        self, texts: Sequence[str], progress: Callable[[int], None] = lambda _: None
    ) -> tuple[np.ndarray, list[int]]:
        self._watch(texts)
        self.asked += texts
        progress(len(texts) + 1)  # as windows of texts are told
        return vectors(texts), [len(text) // 30 for text in texts]
