"""A Transformer that says where answers begin and end."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from manyheads.core.head import SequenceHead
from manyheads.core.layout import Layout
from manyheads.core.mask import GlobalWindow
from manyheads.core.transformer import Transformer
from manyheads.tasks.answering.samples import WindowBatch


class AnswerModel(nn.Module):
    """A Transformer with a head of two outputs for each token: it begins, or ends, the answer."""

    def __init__(self, transformer: Transformer, head: SequenceHead) -> None:
        super().__init__()
        self.transformer = transformer
        self.head = head

    def forward(self, batch: WindowBatch) -> Tensor:
        """Return the outputs (P, 2) of the tokens that an answer may begin or end with."""
        rows, layout = batch.places, self._layout(batch)
        return self.head(self.transformer.encode(batch.ids, layout, batch.segments, rows=rows))

    def _layout(self, batch: WindowBatch) -> Layout:
        """Return the layout; the questions are global where a model knows such (Longformer)."""
        assert self.transformer.spec.encoder is not None
        reach = self.transformer.spec.encoder.blocks[0].attention.reach
        if not isinstance(reach, GlobalWindow):
            return batch.layout
        return Layout(batch.layout.lengths, batch.layout.device, global_tokens=batch.questions)


def log_softmax(outputs_P2: Tensor, counts: Sequence[int]) -> Tensor:
    """Return the log-probabilities (P, 2) of tokens to begin, and to end, their window's answer."""
    windows = torch.repeat_interleave(
        torch.tensor(counts, device=outputs_P2.device), output_size=len(outputs_P2)
    )
    index_P2 = windows[:, None].expand_as(outputs_P2)
    scores_P2 = outputs_P2.float()
    lowest_N2 = scores_P2.new_full((len(counts), 2), -torch.inf)
    largest_N2 = lowest_N2.scatter_reduce(0, index_P2, scores_P2.detach(), "amax")
    shifted_P2 = scores_P2 - largest_N2[windows]
    sums_N2 = torch.zeros_like(lowest_N2).index_add(0, windows, shifted_P2.exp())
    return shifted_P2 - sums_N2.log()[windows]
