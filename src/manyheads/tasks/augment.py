"""Changes to a training batch that make a model rely on less."""

from __future__ import annotations

from dataclasses import replace

import torch

from manyheads.core.layout import Layout
from manyheads.tasks.batch import Batch


def drop_tokens(batch: Batch, probability: float) -> Batch:
    """Leave out each token with `probability`, the first and last of a piece excepted.

    Word dropout (Iyyer et al. 2015, section 3.1), in a ragged batch: what is left out costs
    nothing. Draws from the global generator of torch, so that a resumed run draws the same.
    """
    keep_T = torch.rand(batch.layout.tokens) >= probability
    keep_T[batch.layout.offsets[:-1]] = True
    keep_T[batch.layout.offsets[1:] - 1] = True
    # (B): what is left of each piece, as differences of a running count at the offsets.
    kept = torch.nn.functional.pad(keep_T.cumsum(0), (1, 0))[batch.layout.offsets].diff()
    return replace(
        batch,
        ids=batch.ids[keep_T],
        segments=batch.segments[keep_T],
        layout=Layout(kept.tolist()),
    )
