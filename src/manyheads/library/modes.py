"""How a library is searched: by words, by meaning, by both, or by those and a reranker."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from manyheads.errors import ConfigError

if TYPE_CHECKING:
    from manyheads.predict import Reranker


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


@dataclass(frozen=True)
class Reranked:
    """The `depth` best of another way, in the order of a model that reads them with the query.

    Such a model (`mh.Reranker`) orders better than vectors do, and reads every passage anew.
    """

    reranker: Reranker
    first: ByWords | ByMeaning | ByBoth = field(default_factory=ByBoth)
    depth: int = 50

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise ConfigError(f"depth={self.depth} reads nothing; choose at least 1")


Mode = ByWords | ByMeaning | ByBoth | Reranked


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
