"""Normalisation by slot: a norm where the spec names one, identity where it does not."""

from __future__ import annotations

from torch import nn

from manyheads.core.spec import LayerNorm, Norm, RMSNorm


def make_norm(spec: Norm | None, width: int) -> nn.Module:
    """Return the norm that `spec` describes over the last dimension of size `width`."""
    match spec:
        case None:
            return nn.Identity()
        case LayerNorm():
            return nn.LayerNorm(width, eps=spec.epsilon, bias=spec.bias)
        case RMSNorm():
            return nn.RMSNorm(width, eps=spec.epsilon)
