"""From the tokens of a text to the vector that stands for it.

hidden (T, D) ─ pool, in one or several ways side by side ─ steps ─→ (B, E)

The steps are those that sentence-transformers knows behind its pooling (Reimers & Gurevych 2019).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from manyheads.core.feedforward import make_activation
from manyheads.core.layout import Layout
from manyheads.core.norm import make_norm
from manyheads.core.pooling import behind, pool, with_filler
from manyheads.core.spec import Activation, LayerNorm, Pooling
from manyheads.core.transformer import Transformer


@dataclass(frozen=True)
class Projection:
    """activation(x·Wᵀ + b) of so many outputs."""

    width: int
    bias: bool = True
    activation: Activation | None = None


@dataclass(frozen=True)
class UnitLength:
    """x / |x|: products of such vectors are cosines."""


Step = Projection | LayerNorm | UnitLength


@dataclass(frozen=True)
class VectorSpec:
    """How the vectors of a text's tokens become one: pooled in each of these ways, then `steps`."""

    poolings: tuple[Pooling, ...] = (Pooling.MEAN,)
    steps: tuple[Step, ...] = ()

    @property
    def has_unit_length(self) -> bool:
        """Whether vectors have length 1."""
        return bool(self.steps) and isinstance(self.steps[-1], UnitLength)


class VectorHead(nn.Module):
    """One vector for each sequence: (T, D) → (B, E)."""

    def __init__(self, spec: VectorSpec, width: int) -> None:
        super().__init__()
        self.spec = spec
        self.pooled = width * len(spec.poolings)
        self.width = self.pooled
        steps = []
        for step in spec.steps:
            steps.append(_make_step(step, self.width))
            self.width = step.width if isinstance(step, Projection) else self.width
        self.steps = nn.Sequential(*steps)

    def without_unit_length(self) -> VectorHead:
        """Return a head that shares all layers with this one, and leaves vectors their length."""
        if not self.spec.has_unit_length:
            return self
        head = VectorHead(VectorSpec(self.spec.poolings), self.pooled // len(self.spec.poolings))
        head.spec = replace(self.spec, steps=self.spec.steps[:-1])
        head.width, head.steps = self.width, nn.Sequential(*list(self.steps)[:-1])
        return head.eval()

    def forward(self, hidden_TD: Tensor, layout: Layout) -> Tensor:
        """Return the vectors (B, E) of the sequences of a batch."""
        pooled = [pool(hidden_TD, layout, one) for one in self.spec.poolings]
        vectors_BE: Tensor = self.steps(torch.cat(pooled, dim=1))
        return vectors_BE


class _UnitLength(nn.Module):
    def forward(self, x_BE: Tensor) -> Tensor:
        return nn.functional.normalize(x_BE, dim=-1)


def _make_step(step: Step, width: int) -> nn.Module:
    match step:
        case Projection():
            linear = nn.Linear(width, step.width, bias=step.bias)
            if step.activation is None:
                return nn.Sequential(linear)
            return nn.Sequential(linear, make_activation(step.activation))
        case LayerNorm():
            return make_norm(step, width)
        case UnitLength():
            return _UnitLength()


def token_vectors(transformer: Transformer, ids_T: Tensor, layout: Layout) -> Tensor:
    """Return the vector of each token, (T, D): of an encoder, or of a decoder without one."""
    if transformer.encoder is None:
        return transformer.decode(ids_T, layout)
    return transformer.encode(ids_T, layout)


def text_vectors(
    transformer: Transformer,
    head: VectorHead,
    ids_T: Tensor,
    layout: Layout,
    uncounted: int = 0,
) -> Tensor:
    """Return one vector for each sequence, (B, E); the first `uncounted` tokens are not pooled.

    An encoder's last layer computes only what is pooled, where that is one token.
    """
    sequences = len(layout)
    ids_T, layout, _ = with_filler(ids_T, layout, None)
    if head.spec.poolings == (Pooling.FIRST,) and not uncounted and transformer.encoder is not None:
        firsts = layout.offsets[:sequences]
        vectors_BE: Tensor = head.steps(transformer.encode(ids_T, layout, rows=firsts))
        return vectors_BE
    hidden_TD = token_vectors(transformer, ids_T, layout)
    if uncounted:
        hidden_TD, layout = behind(hidden_TD, layout, uncounted)
    return head(hidden_TD, layout)[:sequences]
