"""Normalisation by slot: a norm where the spec names one, identity where it does not."""

from __future__ import annotations

from torch import nn

from manyheads.core.spec import LayerNorm


def make_norm(spec: LayerNorm | None, width: int) -> nn.Module:
    """Return the norm that `spec` describes over the last dimension of size `width`."""
    if spec is None:
        return nn.Identity()
    return nn.LayerNorm(width, eps=spec.epsilon, bias=spec.bias)
