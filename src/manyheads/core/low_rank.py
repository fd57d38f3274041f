"""Low-rank adaptation (Hu et al. 2022): y = W x + b + α/r · B A x, where A and B alone are learnt.

x ─┬─ W, b (frozen) ───────────── + ─ y
   └─ dropout ─ A ─ B ─ · α/r ────┘
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from manyheads.core.dropout import Dropout


class LowRankLinear(nn.Module):
    """A frozen linear layer with a change of rank r beside it, which begins as none."""

    def __init__(self, linear: nn.Linear, rank: int, alpha: float, dropout: float) -> None:
        super().__init__()
        self.weight = linear.weight.requires_grad_(False)
        self.bias = None if linear.bias is None else linear.bias.requires_grad_(False)
        self.down = nn.Parameter(linear.weight.new_empty(rank, linear.in_features))
        self.up = nn.Parameter(linear.weight.new_zeros(linear.out_features, rank))
        self.scale = alpha / rank
        self.dropout = Dropout(dropout)
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x_TD: Tensor) -> Tensor:
        """Return the outputs of the layer, changed."""
        change = functional.linear(functional.linear(self.dropout(x_TD), self.down), self.up)
        return functional.linear(x_TD, self.weight, self.bias) + self.scale * change

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """Return one plain layer that computes the same."""
        rows, columns = self.weight.shape
        linear = nn.Linear(columns, rows, bias=self.bias is not None, device="meta")
        linear.weight = nn.Parameter(self.weight + self.scale * self.up @ self.down)
        linear.bias = None if self.bias is None else nn.Parameter(self.bias.clone())
        return linear
