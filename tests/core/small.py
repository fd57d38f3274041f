"""Specs of small models that the tests of `core` share."""

from __future__ import annotations

import torch
from torch import nn

from manyheads.core.mask import Causal, Full, Reach, Window
from manyheads.core.spec import (
    AttentionSpec,
    BlockSpec,
    EmbedSpec,
    FeedForwardSpec,
    LayerNorm,
    LearnedPositions,
    NormSlots,
    RelativeBias,
    RMSNorm,
    Rotary,
    Spec,
    StackSpec,
)
from manyheads.core.transformer import Transformer

WIDTH, HEADS, VOCABULARY, MAX_TOKENS = 16, 4, 50, 40


def block(
    reach: Reach, norms: NormSlots, dropout: float = 0.0, rotary: Rotary | None = None
) -> BlockSpec:
    return BlockSpec(
        attention=AttentionSpec(
            heads=HEADS,
            kv_heads=2,
            head_dim=WIDTH // HEADS,
            reach=reach,
            rotary=rotary,
            dropout=dropout,
            out_dropout=dropout,
        ),
        feedforward=FeedForwardSpec(24, gated=rotary is not None, out_dropout=dropout),
        attention_norms=norms,
        feedforward_norms=norms,
    )


def post_norm(dropout: float = 0.0, relative_bias: RelativeBias | None = None) -> Spec:
    """Two blocks as BERT has them: learned positions, segments, full attention."""
    norm = LayerNorm(1e-6)
    blocks = (block(Full(), NormSlots(residual=norm), dropout),) * 2
    return Spec(
        WIDTH,
        MAX_TOKENS,
        EmbedSpec(VOCABULARY, WIDTH, LearnedPositions(MAX_TOKENS), 2, norm, dropout),
        StackSpec(blocks, position_bias=relative_bias),
    )


def pre_norm() -> Spec:
    """Three blocks as ModernBERT has them: rotary, gated, two of them local."""
    norm = LayerNorm(1e-6, bias=False)
    blocks = tuple(
        block(reach, NormSlots(before=norm), rotary=Rotary())
        for reach in (Full(), Window(2, 2), Window(1, 3))
    )
    return Spec(WIDTH, MAX_TOKENS, EmbedSpec(VOCABULARY, WIDTH, norm=norm), StackSpec(blocks, norm))


def decoder() -> Spec:
    """Two blocks as Llama has them: causal, rotary, gated."""
    norm = RMSNorm()
    blocks = (block(Causal(), NormSlots(before=norm), rotary=Rotary()),) * 2
    embed = EmbedSpec(VOCABULARY, WIDTH)
    return Spec(WIDTH, MAX_TOKENS, embed, decoder=StackSpec(blocks, norm))


def make(spec: Spec) -> Transformer:
    """A model whose every parameter is random, norms and biases too."""
    model = Transformer(spec)
    perturb(model)
    return model.eval()


def perturb(module: nn.Module) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
