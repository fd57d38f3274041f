"""Blocks that keep nothing for the backward pass but what they read (Chen et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from manyheads.core.attention import CrossAttention
from manyheads.core.block import Block
from manyheads.core.cache import KeyValues
from manyheads.core.layout import Layout


class RecomputedBlock(nn.Module):
    """A block that is computed a second time in the backward pass: less memory for more time."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.block = block

    @property
    def cross(self) -> nn.Module | None:
        """The block's cross-attention, if it has any."""
        return self.block.cross

    def forward(
        self,
        x_TD: Tensor,
        layout: Layout,
        bias_HLL: Tensor | None = None,
        rows: Tensor | None = None,
        past: KeyValues | None = None,
        read: Callable[[CrossAttention, Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Return what the block does."""
        inputs = (x_TD, layout, bias_HLL, rows, past, read)
        if not (self.training and torch.is_grad_enabled()):
            return self.block(*inputs)
        return checkpoint(self.block, *inputs, use_reentrant=False)
