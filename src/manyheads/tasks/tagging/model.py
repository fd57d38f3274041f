"""A Transformer that says something of single words."""

from __future__ import annotations

from torch import Tensor, nn

from manyheads.core.head import SequenceHead
from manyheads.core.transformer import Transformer
from manyheads.tasks.tagging.samples import StretchBatch


class TagModel(nn.Module):
    """A Transformer with a head for single tokens; `answers` as in `TaskModel`."""

    def __init__(self, transformer: Transformer, head: SequenceHead, answers: bool = False) -> None:
        super().__init__()
        self.transformer = transformer
        self.head = head
        self.answers = answers

    def forward(self, batch: StretchBatch) -> Tensor:
        """Return the outputs (W, C) of the tokens that speak for words."""
        return self.head(self._hidden(batch))

    def features(self, batch: StretchBatch) -> Tensor:
        """Return what the head's last layer sees, (W, D)."""
        return self.head.features(self._hidden(batch))

    def _hidden(self, batch: StretchBatch) -> Tensor:
        return self.transformer.encode(batch.ids, batch.layout, batch.segments, rows=batch.places)
