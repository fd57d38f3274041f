"""One body under many heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from manyheads.core.layers import lower_part
from manyheads.core.transformer import Transformer
from manyheads.tasks.many.samples import HeadBatch


class ManyModel(nn.Module):
    """A Transformer that several heads read.

    `models` are those of single heads over this very body, or over its first blocks: a block that
    was appended for heads that read the first token is not there for others.
    """

    def __init__(self, transformer: Transformer, models: Mapping[str, Any]) -> None:
        super().__init__()
        self.transformer = transformer
        self.heads = nn.ModuleDict({_attribute(name): one.head for name, one in models.items()})
        # No modules of this one: their weights are here already.
        self._models = dict(models)
        self._blocks = {name: _blocks_of(model.transformer) for name, model in models.items()}

    def of(self, head: str) -> Any:
        """Return the model of one head, which shares all weights with this one."""
        model = self._models[head]
        model.transformer = lower_part(self.transformer, self._blocks[head])
        return model

    def forward(self, batch: HeadBatch) -> Tensor:
        """Return the outputs of the head that a batch is for."""
        outputs: Tensor = self.of(batch.head)(batch.batch)
        return outputs


def _attribute(name: str) -> str:
    """Return a name that modules have no attribute of, as Python has it: `type` is `type_`."""
    return f"{name}_" if hasattr(nn.ModuleDict, name) else name


def _blocks_of(transformer: Transformer) -> int:
    assert transformer.encoder is not None
    return len(transformer.encoder.blocks)
