"""A batch of texts that have one row of outputs each."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from manyheads.core.layout import Layout

Moving = TypeVar("Moving")


def moved(batch: Moving, device: torch.device) -> Moving:
    """Return a batch, a dataclass, with its tensors and layouts on another device.

    What is there already is returned as it is.
    """
    values = {one.name: getattr(batch, one.name) for one in fields(batch)}  # type: ignore[arg-type]
    tensors = [value for value in values.values() if isinstance(value, Tensor)]
    if all(tensor.device == device for tensor in tensors):
        return batch
    return replace(batch, **{name: _on(value, device) for name, value in values.items()})  # type: ignore[type-var]


def _on(value: Any, device: torch.device) -> Any:
    match value:
        case Tensor():
            return value.to(device, non_blocking=True)
        case Layout():
            return value.to(device)
    return value


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
        return moved(self, device)
