"""Changes to a training batch that make a model rely on less."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from manyheads.core.layout import Layout
from manyheads.tasks.batch import Batch


def drop_tokens(batch: Batch, probability: float) -> Batch:
    """Leave out each token with `probability`, as `kept_tokens` does."""
    keep_T, layout = kept_tokens(batch.layout, probability)
    return replace(batch, ids=batch.ids[keep_T], segments=batch.segments[keep_T], layout=layout)


def hidden_ids(ids_T: Tensor, probability: float, unknown: int | None) -> Tensor:
    """Hide each token with `probability` behind the unknown one; none where there is no such one.

    For tasks whose tokens stand for themselves, so that none can be left out.
    """
    if not probability or unknown is None:
        return ids_T
    return ids_T.masked_fill(torch.rand(len(ids_T)) < probability, unknown)


def kept_tokens(layout: Layout, probability: float) -> tuple[Tensor, Layout]:
    """Return which tokens stay, (T), and how they lie then.

    Each is left out with `probability`, the first and last of a sequence excepted: word dropout
    (Iyyer et al. 2015, section 3.1), in a ragged batch, where it costs nothing. Draws from the
    global generator of torch, so that a resumed run draws the same.
    """
    keep_T = torch.rand(layout.tokens) >= probability
    keep_T[layout.offsets[:-1]] = True
    keep_T[layout.offsets[1:] - 1] = True
    # (B): what is left of each sequence, as differences of a running count at the offsets.
    kept = torch.nn.functional.pad(keep_T.cumsum(0), (1, 0))[layout.offsets].diff()
    return keep_T, Layout(kept.tolist())
