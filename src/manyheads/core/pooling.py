"""From the vectors of a sequence's tokens to one vector."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from manyheads.core.layout import Layout
from manyheads.core.spec import Pooling
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
        case Pooling.LAST:
            return hidden_TD[layout.offsets[1:] - 1]
        case Pooling.MAX:
            least_BD = hidden_TD.new_full((len(layout), hidden_TD.shape[1]), -torch.inf)
            owners_TD = layout.owners[:, None].expand_as(hidden_TD)
            return least_BD.scatter_reduce(0, owners_TD, hidden_TD, "amax")
        case Pooling.MEAN:
            return _sums(hidden_TD, layout) / layout.offsets.diff()[:, None]
        case Pooling.ROOT_MEAN:
            return _sums(hidden_TD, layout) / layout.offsets.diff()[:, None].sqrt()
        case Pooling.LATER_MORE:
            weights_T1 = (layout.positions + 1).to(hidden_TD.dtype)[:, None]
            return _sums(weights_T1 * hidden_TD, layout) / _sums(weights_T1, layout)


def behind(hidden_TD: Tensor, layout: Layout, tokens: int) -> tuple[Tensor, Layout]:
    """Leave out the first `tokens` of each sequence, but never its last token: what else there is.

    What is left keeps its positions.
    """
    skipped = [min(tokens, length - 1) for length in layout.lengths]
    lengths = (length - skip for length, skip in zip(layout.lengths, skipped, strict=True))
    kept_T = layout.positions >= layout.offsets.new_tensor(skipped)[layout.owners]
    return hidden_TD[kept_T], Layout(lengths, layout.device, past=skipped)


def _sums(values_TD: Tensor, layout: Layout) -> Tensor:
    sums_BD = values_TD.new_zeros(len(layout), values_TD.shape[1])
    return sums_BD.index_add(0, layout.owners, values_TD)
