"""From hidden states to a score for each token of the vocabulary."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from manyheads.core.feedforward import make_activation
from manyheads.core.norm import make_norm
from manyheads.core.spec import OutputSpec


class Output(nn.Module):
    """(T, D) → (T, V): a dense layer where the spec has one, then the projection.

    A tied projection has no weight of its own: it is given the table of token vectors
    (Press & Wolf 2017). Where those have another width (ELECTRA), the dense layer goes there.
    """

    def __init__(self, spec: OutputSpec, vocabulary: int, width: int, table_width: int) -> None:
        super().__init__()
        assert width == table_width or spec.activation is not None
        self.spec = spec
        self.dense: nn.Module = nn.Identity()
        self.activation: nn.Module = nn.Identity()
        if spec.activation is not None:
            self.dense = nn.Linear(width, table_width, bias=spec.dense_bias)
            self.activation = make_activation(spec.activation)
        self.norm = make_norm(spec.norm, table_width)
        self.project: nn.Module | None = None
        if not spec.tied:
            self.project = nn.Linear(table_width, vocabulary, bias=spec.bias)
        self.bias = nn.Parameter(torch.zeros(vocabulary)) if spec.tied and spec.bias else None

    def features(self, hidden_TD: Tensor) -> Tensor:
        """Return what the projection sees, (T, D): logits are linear in it."""
        hidden_TD = self.norm(self.activation(self.dense(hidden_TD)))
        return hidden_TD if self.spec.scale == 1.0 else hidden_TD * self.spec.scale

    def projection(self, table_VD: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return weight (V, D) and bias (V) of the projection."""
        if self.spec.tied:
            return table_VD, self.bias
        assert isinstance(self.project, nn.Linear), "a packed projection learns no more"
        return self.project.weight, self.project.bias

    def forward(self, hidden_TD: Tensor, table_VD: Tensor) -> Tensor:
        """Return logits (T, V)."""
        features_TD = self.features(hidden_TD)
        if self.project is None:
            return linear(features_TD, table_VD, self.bias)
        logits_TV: Tensor = self.project(features_TD)
        return logits_TV
