"""What may attend to what, as pure predicates over positions.

A predicate says which (query, key) pairs are allowed; masking happens on scores, before the
softmax. Positions count from 0 in each sequence, so that a predicate never sees its batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from manyheads.core.random_blocks import random_blocks


@dataclass(frozen=True)
class Full:
    """Every query sees every key of its sequence (Vaswani et al. 2017, encoder)."""

    def allows(self, query: Tensor, key: Tensor) -> Tensor:
        """Return a bool tensor, shape of `query` - `key` broadcast: True where attention may go."""
        return (query - key).abs() >= 0

    def covers(self, queries: int, keys: int) -> bool:
        """Whether a sequence of these lengths needs no mask."""
        return True


@dataclass(frozen=True)
class Causal:
    """A query sees its own position and what came before it."""

    def allows(self, query: Tensor, key: Tensor) -> Tensor:
        """Return a bool tensor, shape of `query` - `key` broadcast: True where attention may go."""
        return key <= query

    def covers(self, queries: int, keys: int) -> bool:
        """Whether a sequence of these lengths needs no mask."""
        return keys <= 1


@dataclass(frozen=True)
class Window:
    """A query sees `left` positions before and `right` positions after its own.

    ModernBERT's local layers (Warner et al. 2024) and Longformer's windows (Beltagy et al. 2020).
    """

    left: int
    right: int

    def allows(self, query: Tensor, key: Tensor) -> Tensor:
        """Return a bool tensor, shape of `query` - `key` broadcast: True where attention may go."""
        return (key >= query - self.left) & (key <= query + self.right)

    def covers(self, queries: int, keys: int) -> bool:
        """Whether a sequence of these lengths needs no mask."""
        return queries - 1 <= self.left and keys - 1 <= self.right


@dataclass(frozen=True)
class GlobalWindow:
    """A window, and `global_tokens` at the start that see all tokens and are seen by all.

    Longformer (Beltagy, Peters & Cohan 2020, section 3.1). A batch may say for each of its
    sequences how many tokens are global: `Layout.global_tokens`.
    """

    left: int
    right: int
    global_tokens: int = 1

    def allows(self, query: Tensor, key: Tensor) -> Tensor:
        """Return a bool tensor, shape of `query` - `key` broadcast: True where attention may go."""
        near = (key >= query - self.left) & (key <= query + self.right)
        return near | (query < self.global_tokens) | (key < self.global_tokens)

    def covers(self, queries: int, keys: int) -> bool:
        """Whether a sequence of these lengths needs no mask."""
        others = self.global_tokens + 1
        return queries - others <= self.left and keys - others <= self.right


@dataclass(frozen=True)
class Blocks:
    """Blocks of `size` positions see their neighbours, the first block, the last, and `random`
    others; the first and the last block see everything.

    BigBird (Zaheer et al. 2020, section 2). With a `seed`, each of `heads` heads draws its random
    blocks, for a model of so many `positions`, as published models do in training. Without, the
    first block takes the place of every random one and counts as often more: so they predict.
    Sequences of up to (5 + 2·`random`)·`size` tokens see everything.

    What is seen depends on the `length` of a sequence; `over` lays the blocks over one.
    """

    size: int
    random: int
    heads: int
    positions: int
    seed: int | None = None
    length: int | None = None

    def over(self, length: int) -> Full | Blocks:
        """Return what may attend to what in a sequence of this length."""
        short = length <= (5 + 2 * self.random) * self.size
        return Full() if short else replace(self, length=length)

    def at_rest(self) -> Blocks:
        """Return the blocks without chance, as they are outside training."""
        return replace(self, seed=None)

    def rows(self) -> tuple[Tensor, Tensor]:
        """Return which blocks each block but the first and the last sees, and how many times.

        Both are (H, blocks - 2, seen), with H = 1 where all heads see the same.
        """
        row = torch.arange(1, self._count - 1)
        first, last = torch.zeros_like(row), torch.full_like(row, self._count - 1)
        seen_RS = torch.stack((first, row - 1, row, row + 1, last), dim=1)
        times_RS = torch.ones_like(seen_RS)
        times_RS[0, 1] = times_RS[-1, 3] = 0  # a neighbour that is the first or last block
        if self.seed is None:
            times_RS[:, 0] += self.random
            return seen_RS[None], times_RS[None]
        drawn_HRS = torch.from_numpy(
            random_blocks(
                self._count, self.size, self.random, self.heads, self.seed, self.positions
            )
        )
        seen_HRS = torch.cat((seen_RS.expand(self.heads, -1, -1), drawn_HRS), dim=2)
        return seen_HRS, pad(times_RS, (0, self.random), value=1).expand_as(seen_HRS)

    def counts(self, query: Tensor, key: Tensor) -> Tensor:
        """Return how many times each query sees each key, (H, …) behind which they broadcast."""
        seen_HRS, times_HRS = self.rows()
        table_HMM = times_HRS.new_zeros(len(seen_HRS), self._count, self._count)
        table_HMM[:, 1:-1].scatter_add_(2, seen_HRS, times_HRS)
        table_HMM[:, [0, -1]] = 1
        return table_HMM.to(query.device)[:, query // self.size, key // self.size]

    def allows(self, query: Tensor, key: Tensor) -> Tensor:
        """Return a bool tensor, (H, …) behind which both broadcast: True where attention may go."""
        return self.counts(query, key) > 0

    def covers(self, queries: int, keys: int) -> bool:
        """Whether a sequence of these lengths needs no mask."""
        return False

    @property
    def _count(self) -> int:
        assert self.length is not None, "blocks lie over a sequence: `over` says which"
        return -(-self.length // self.size)


Reach = Full | Causal | Window | GlobalWindow | Blocks


def mask_of(reach: Reach, query: Tensor, key: Tensor) -> Tensor:
    """Return where attention may go: bool, or what to add to scores.

    A key that is seen n times weighs n·exp(score), so log n is added.
    """
    if isinstance(reach, Blocks):
        return reach.counts(query, key).log()
    return reach.allows(query, key)
