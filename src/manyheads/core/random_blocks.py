"""The random blocks of BigBird, drawn as its published models draw them in training.

Numbers come from numpy's oldest generator, in the order of the original (Zaheer et al. 2020), so
that the same seed gives the same blocks.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from manyheads.errors import LayoutError

# Lengths of the pretraining have a plan of their own, which looks into the first tokens alone.
_PRETRAINING = (1024, 3072, 4096)
_FIRST_TOKENS = 1024


@lru_cache(maxsize=1024)
def random_blocks(
    blocks: int, size: int, random: int, heads: int, seed: int, positions: int
) -> np.ndarray:
    """Return the random blocks that each head's inner blocks read, (H, blocks - 2, random).

    `positions` are those of the model, not of the sequence. Raises `LayoutError` where a block has
    fewer than `random` others to choose from.
    """
    permutation = np.random.RandomState(seed).permutation
    inner = range(1, blocks - 1)
    if blocks * size in _PRETRAINING:
        rows = range(1, positions // size - 1)
        table = [
            [permutation(_of_pretraining(row, size, positions))[:random] for row in rows]
            for _ in range(heads)
        ]
    else:
        by_row = [
            [_choice(permutation(5 + 2 * random), row, random) for _ in range(heads)]
            for row in inner
        ]
        table = [list(of_head) for of_head in zip(*by_row, strict=True)]
    if any(len(row) < random for of_head in table for row in of_head):
        raise LayoutError(
            f"a sequence of {blocks} blocks of {size} tokens has fewer than {random} random "
            "blocks to choose from; truncate to another length"
        )
    return np.array([of_head[: len(inner)] for of_head in table], dtype=np.int64)


def _of_pretraining(row: int, size: int, positions: int) -> np.ndarray:
    """The blocks that a block may draw from, at the lengths of the pretraining."""
    count = positions // size
    last = _FIRST_TOKENS // size - 1 if 2 * size < _FIRST_TOKENS else count - 1
    others = np.arange(1, min(last, count - 2) + 1)
    # The original leaves the neighbours of these two among what they draw from.
    return others if row >= count - 3 else others[abs(others - row) > 1]


def _choice(drawn: np.ndarray, row: int, random: int) -> np.ndarray:
    """The first blocks of a permutation that a block does not see already."""
    last = len(drawn) - 1
    seen = [row - 1, row, row + 1, 0, last]
    seen += [last - 1] if row == 1 else []
    seen += [1] if row == last - 1 else []
    return drawn[~np.isin(drawn, seen)][:random]
