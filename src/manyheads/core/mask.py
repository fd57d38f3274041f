"""What may attend to what, as pure predicates over positions.

A predicate says which (query, key) pairs are allowed; masking happens on scores, before the
softmax. Positions count from 0 in each sequence, so that a predicate never sees its batch.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


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


Reach = Full | Causal | Window | GlobalWindow
