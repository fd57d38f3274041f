"""A batch of texts that have one row of outputs each."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from manyheads.core.layout import Layout


@dataclass(frozen=True)
class Batch:
    """Examples laid end to end. N examples have B ≥ N pieces of T tokens in all."""

    rows: tuple[int, ...]
    ids: Tensor  # (T)
    segments: Tensor  # (T)
    layout: Layout
    owners: Tensor  # (B): the example of each piece
    targets: Tensor | None  # (N, …)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def tokens(self) -> int:
        """T, the tokens of all pieces."""
        return self.layout.tokens

    def to(self, device: torch.device) -> Batch:
        """Return the batch on another device."""
        if self.ids.device == device:
            return self
        return Batch(
            self.rows,
            self.ids.to(device, non_blocking=True),
            self.segments.to(device, non_blocking=True),
            self.layout.to(device),
            self.owners.to(device, non_blocking=True),
            None if self.targets is None else self.targets.to(device, non_blocking=True),
        )
