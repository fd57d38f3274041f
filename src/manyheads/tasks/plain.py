"""A model that needs nothing beside its Transformer."""

from __future__ import annotations

from torch import nn

from manyheads.core.transformer import Transformer


class PlainModel(nn.Module):
    """A Transformer whose own output is what is learnt."""

    def __init__(self, transformer: Transformer) -> None:
        super().__init__()
        self.transformer = transformer
