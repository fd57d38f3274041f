"""Dropout: x · mask / (1 - p), with masks that are cheap to draw on a CPU.

torch draws one random number of the Mersenne twister for each element, on one core; in a small
model that is a fifth of a training step. Here sixteen random bits decide over an element, one step
of a faster generator decides over four elements, and torch's own generator only gives the seed, so
that runs repeat as they do elsewhere. p is met to 1/65536.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

_BITS = 16


def drop(x: Tensor, p: float) -> Tensor:
    """Set each element to 0 with probability `p`, and divide the others by 1 - p.

    Srivastava et al. 2014, in the form that needs no change at prediction time.
    """
    if p == 0.0:
        return x
    if p == 1.0:
        return x * 0.0
    if x.device.type != "cpu":
        return nn.functional.dropout(x, p)
    return x * _mask(x, p)


def _mask(x: Tensor, p: float) -> Tensor:
    """Return a tensor like `x` that is 0 with probability `p` and else 1/(1-p)."""
    seed = int(torch.randint(2**62, ()))
    words = np.random.SFC64(seed).random_raw(-(-x.numel() * _BITS // 64))
    numbers = torch.from_numpy(words.view(np.int16)[: x.numel()]).view(x.shape)
    # Signed numbers begin at -2^15: a share p of them lies below this limit.
    limit = round(p * 2**_BITS) - 2 ** (_BITS - 1)
    return (numbers >= limit).to(x.dtype).mul_(1.0 / (1.0 - p))


class Dropout(nn.Module):
    """`drop` in train mode, identity otherwise."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`, of any shape, with elements dropped in train mode."""
        return drop(x, self.p) if self.training else x

    def extra_repr(self) -> str:
        """Describe the layer as `nn.Dropout` does."""
        return f"p={self.p}"
