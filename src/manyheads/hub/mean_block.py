"""Bodies that were trained to be averaged, under heads that read the first token.

A sentence-transformers model is trained on the mean over its tokens; its first token means little.
The classification head that its family publishes reads the first token alone. One more block
brings them together: its queries and keys are zero, so that every token attends to all tokens
evenly and its context is their mean. The model stays one of its family, and opens everywhere.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from manyheads.core.block import Block
from manyheads.core.initialize import initialize
from manyheads.core.spec import Activation, NormSlots, Pooling
from manyheads.core.transformer import Transformer
from manyheads.hub.load import Pretrained

# How many times the mean outweighs the first token's own vector in the residual.
_GAIN = 8.0
# tanh is nearly linear over normalised vectors at this scale.
_DENSE_SCALE = 0.5


def append_mean_block(model: Pretrained) -> Pretrained:
    """Return the model with one more block, after which the first token holds the mean.

    Only where it was trained to be averaged and its head reads the first token, and where norms
    follow the residuals; other models are returned as they are.
    """
    head = model.family.require_sequence_head().to_spec(model.config)
    spec = model.transformer.spec
    last = spec.encoder.blocks[-1]
    post_norm = last.attention_norms == NormSlots(residual=last.attention_norms.residual)
    if model.pooling is not Pooling.MEAN or head.pooling is not Pooling.FIRST or not post_norm:
        return model
    stack = replace(spec.encoder, blocks=(*spec.encoder.blocks, last))
    transformer = Transformer(replace(spec, encoder=stack))
    initialize(transformer)
    transformer.load_state_dict(model.transformer.state_dict(), strict=False)
    _average(transformer.encoder.blocks[-1], spec.width)
    config = model.config | model.family.to_config(transformer.spec)
    return replace(
        model,
        transformer=transformer.eval(),
        config=config,
        pooling=None,
        head_weights=model.head_weights | _plain_dense(model),
        appended=1,
    )


@torch.no_grad()
def _average(block: Block, width: int) -> None:
    """Make the attention the mean, and the feed-forward layer add nothing to begin with."""
    identity = torch.eye(width)
    query_and_key = torch.zeros(2 * width, width)
    block.attention.qkv.weight.copy_(torch.cat((query_and_key, _GAIN * identity)))
    if block.attention.global_heads is not None:  # by which the first token attends
        block.attention.global_heads.q.weight.zero_()
        key_and_value = torch.cat((torch.zeros(width, width), _GAIN * identity))
        block.attention.global_heads.kv.weight.copy_(key_and_value)
    block.attention.out.weight.copy_(identity)
    block.feedforward.down.weight.zero_()


def _plain_dense(model: Pretrained) -> dict[str, Tensor]:
    """Return published weights of a head whose dense layer passes on what it sees."""
    format_ = model.family.require_sequence_head()
    spec = format_.to_spec(model.config)
    if not spec.dense or spec.activation is not Activation.TANH:
        return {}
    weight = _DENSE_SCALE * torch.eye(spec.width)
    return format_.rules.to_theirs({"dense.weight": weight, "dense.bias": torch.zeros(spec.width)})
