"""The Transformer: embedding and encoder, built from a `Spec`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from manyheads.core.block import Block
from manyheads.core.embed import Embedding
from manyheads.core.layout import Layout
from manyheads.core.norm import make_norm
from manyheads.core.position import RelativePositionBias
from manyheads.core.spec import Spec, StackSpec


class Encoder(nn.Module):
    """A stack of blocks over a ragged batch: (T, D) → (T, D), one vector for each token."""

    def __init__(self, spec: StackSpec, width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(block, width) for block in spec.blocks)
        self.norm = make_norm(spec.norm, width)
        self.relative_bias = (
            RelativePositionBias(spec.relative_bias, spec.blocks[0].attention.heads)
            if spec.relative_bias
            else None
        )

    def forward(self, hidden_TD: Tensor, layout: Layout, rows: Tensor | None = None) -> Tensor:
        """Return the hidden states (T, D) after the last block and the final norm.

        Where only the tokens at `rows` are wanted, the last block computes no others.
        """
        bias_HLL = None
        if self.relative_bias is not None:
            bias_HLL = self.relative_bias(layout.longest, layout.longest)
        *blocks, last = self.blocks
        for block in blocks:
            hidden_TD = block(hidden_TD, layout, bias_HLL)
        hidden_TD = last(hidden_TD, layout, bias_HLL, rows)
        return self.norm(hidden_TD)


class Transformer(nn.Module):
    """The function that a `Spec` describes, with its weights."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec
        self.embed = Embedding(spec.embed, spec.width)
        self.encoder = Encoder(spec.encoder, spec.width)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embed.tokens.weight.device

    def encode(
        self,
        ids_T: Tensor,
        layout: Layout,
        segments_T: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> Tensor:
        """Return one vector for each token, (T, D), of ids (T) laid end to end as `layout` says.

        With `rows`, the vectors of those tokens alone; the last layer then computes no others. A
        sequence's vectors depend on that sequence alone, never on its batch.
        Raises `LayoutError` for ids outside the vocabulary or sequences beyond the positions.
        """
        return self.encoder(self.embed(ids_T, layout, segments_T), layout, rows)

    forward = encode


def initialize(model: nn.Module, deviation: float = 0.02, seed: int = 0) -> None:
    """Draw fresh weights: normal of that deviation, biases 0, norms 1 (Devlin et al. 2019)."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif parameter.dim() == 1:
                parameter.fill_(1.0)
            else:
                fresh = torch.empty(parameter.shape).normal_(0, deviation, generator=generator)
                parameter.copy_(fresh)
