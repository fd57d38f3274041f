"""Training that only tries something out: the model stays as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Let a block train a model, and put everything back at its end, however it ends.

    Weights and the state of torch's generators are then as before, bit for bit; there are no
    gradients.
    """
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    try:
        with torch.random.fork_rng():
            yield
    finally:
        model.load_state_dict(before)
        model.zero_grad(set_to_none=True)
        model.eval()
