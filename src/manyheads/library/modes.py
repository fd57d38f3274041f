"""How a library is searched: by words, by meaning, or by both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from manyheads.errors import ConfigError


@dataclass(frozen=True)
class ByWords:
    """Passages with the words of the query, by BM25; no model is needed."""


@dataclass(frozen=True)
class ByMeaning:
    """Passages whose vectors are nearest to the query's."""


@dataclass(frozen=True)
class ByBoth:
    """The `depth` best of either way, by the sum of 1 / (constant + rank) over both.

    Reciprocal rank fusion (Cormack et al. 2009), with their constant.
    """

    depth: int = 100
    constant: float = 60.0

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise ConfigError(f"depth={self.depth} finds nothing; choose at least 1")
        if self.constant < 0:
            raise ConfigError(f"constant={self.constant} is negative; choose 0 or more")


Mode = ByWords | ByMeaning | ByBoth


def fused(
    rankings: Iterable[Sequence[int] | np.ndarray], constant: float, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the `n` rows that rankings have in front together, and their scores: (n), (n)."""
    totals: defaultdict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, row in enumerate(ranking, 1):
            totals[int(row)] += 1 / (constant + rank)
    ordered = sorted(totals.items(), key=lambda one: (-one[1], one[0]))[:n]
    rows, scores = zip(*ordered, strict=True) if ordered else ((), ())
    return np.array(rows, np.int64), np.array(scores, np.float32)
