"""From the tokens of a sequence to one row of outputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from manyheads.core.dropout import Dropout
from manyheads.core.feedforward import make_activation
from manyheads.core.layout import Layout
from manyheads.core.norm import make_norm
from manyheads.core.spec import HeadSpec, Pooling
from manyheads.core.transformer import Transformer

_ROWS = 16  # tokens of a batch are a multiple of this, where nothing is learnt


def encode_pooled(
    transformer: Transformer,
    ids_T: Tensor,
    layout: Layout,
    segments_T: Tensor | None,
    pooling: Pooling,
) -> Tensor:
    """Return one vector for each sequence, (B, D); the last layer computes only what is pooled."""
    sequences = len(layout)
    ids_T, layout, segments_T = with_filler(ids_T, layout, segments_T)
    if pooling is Pooling.FIRST:
        firsts = layout.offsets[:sequences]
        return transformer.encode(ids_T, layout, segments_T, rows=firsts)
    return pool(transformer.encode(ids_T, layout, segments_T), layout, pooling)[:sequences]


def encode_images_pooled(transformer: Transformer, images_NCHW: Tensor, pooling: Pooling) -> Tensor:
    """Return one vector for each image, (N, D); the last layer computes only what is pooled."""
    assert transformer.encoder is not None
    hidden_TD, layout = transformer.embed.of_images(images_NCHW)
    if pooling is Pooling.FIRST:
        return transformer.encoder(hidden_TD, layout, layout.offsets[:-1])
    return pool(transformer.encoder(hidden_TD, layout), layout, pooling)


def with_filler(
    ids_T: Tensor, layout: Layout, segments_T: Tensor | None
) -> tuple[Tensor, Layout, Tensor | None]:
    """Return the batch with a last sequence of a few zeros, for a round number of tokens.

    Only on CPU, and only where nothing is learnt. oneDNN compiles a matrix product for every number
    of rows that it meets, and keeps it: by the thousandth batch that is hundreds of megabytes. The
    filler costs nothing, because products whose rows do not fill the last block are the slower
    ones.
    """
    missing = -layout.tokens % _ROWS
    if not missing or layout.device.type != "cpu" or not torch.is_inference_mode_enabled():
        return ids_T, layout, segments_T
    segments_T = None if segments_T is None else pad(segments_T, (0, missing))
    global_tokens = None if layout.global_tokens is None else (*layout.global_tokens, 0)
    filled = Layout((*layout.lengths, missing), layout.device, None, global_tokens)
    return pad(ids_T, (0, missing)), filled, segments_T


def pool(hidden_TD: Tensor, layout: Layout, pooling: Pooling) -> Tensor:
    """Return one vector for each sequence, (B, D)."""
    layout.check(hidden_TD, "hidden states")
    match pooling:
        case Pooling.FIRST:
            return hidden_TD[layout.offsets[:-1]]
        case Pooling.MEAN:
            sums = hidden_TD.new_zeros(len(layout), hidden_TD.shape[1])
            sums = sums.index_add(0, layout.owners, hidden_TD)
            return sums / layout.offsets.diff()[:, None]


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
