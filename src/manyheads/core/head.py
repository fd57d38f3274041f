"""From the vector of a sequence to one row of outputs."""

from __future__ import annotations

from torch import Tensor, nn

from manyheads.core.dropout import Dropout
from manyheads.core.feedforward import make_activation
from manyheads.core.norm import make_norm
from manyheads.core.spec import HeadSpec


class SequenceHead(nn.Module):
    """Dense, activation, norm, projection of pooled sequences: (B, D) → (B, C).

    One module for the classification heads of all families; its spec says which parts are there.
    """

    def __init__(self, spec: HeadSpec, outputs: int) -> None:
        super().__init__()
        self.spec = spec
        self.pooled_dropout = Dropout(spec.pooled_dropout)
        self.dense: nn.Module = nn.Identity()
        self.activation: nn.Module = nn.Identity()
        if spec.dense:
            self.dense = nn.Linear(spec.width, spec.width, bias=spec.dense_bias)
            self.activation = make_activation(spec.activation)
        self.norm = make_norm(spec.norm, spec.width)
        self.dropout = Dropout(spec.dropout)
        self.out = nn.Linear(spec.width, outputs)

    def features(self, pooled_BD: Tensor) -> Tensor:
        """Return what the last projection sees of pooled sequences, (B, D)."""
        return self.norm(self.activation(self.dense(self.pooled_dropout(pooled_BD))))

    def forward(self, pooled_BD: Tensor) -> Tensor:
        """Return the outputs (B, C) of pooled sequences: logits, or values of a regression."""
        return self.out(self.dropout(self.features(pooled_BD)))
