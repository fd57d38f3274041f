"""The straightforward way to train: padded batches through torch's own layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, pad
from torch.nn.utils.rnn import pad_sequence

PAD, END = 0, 2  # ids, as our tokenizers give them
Row = tuple[list[int], ...]  # ids: a source and a target, or a text; the last is foretold


class Padded(nn.Module):
    """What padded models share: token vectors, which the output has too, and positions.

    Both are drawn with a `deviation`; the first layer reads them `scale` times as large.
    """

    def __init__(
        self, vocabulary: int, width: int, longest: int, deviation: float, scale: float
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(longest, width)
        for table in (self.embed, self.positions):
            nn.init.normal_(table.weight, std=deviation)
        self.scale = scale

    def loss(self, rows: list[Row]) -> Tensor:
        """Return the mean loss of the tokens to foretell."""
        raise NotImplementedError

    def read(self, ids_BL: Tensor) -> Tensor:
        """Return the vectors that the first layer reads (B, L, D)."""
        return (self.embed(ids_BL) + self.positions.weight[: ids_BL.shape[1]]) * self.scale

    def foretell(self, hidden_BLD: Tensor, targets_BL: Tensor) -> Tensor:
        """Return the mean loss of the targets that are no padding."""
        scores = linear(hidden_BLD, self.embed.weight).flatten(0, 1)
        return cross_entropy(scores, targets_BL.flatten(), ignore_index=PAD)


class PaddedTranslator(Padded):
    """`torch.nn.Transformer`, shaped as PEGASUS: norms first, dropout on vectors and sub-layers."""

    def __init__(
        self,
        vocabulary: int,
        width: int,
        heads: int,
        layers: int,
        feedforward: int,
        longest: int,
        dropout: float,
    ) -> None:
        super().__init__(vocabulary, width, longest, width**-0.5, width**0.5)
        sizes = (width, heads, layers, layers, feedforward, dropout)
        self.body = nn.Transformer(*sizes, batch_first=True, norm_first=True)
        self.dropout = nn.Dropout(dropout)
        for module in self.body.modules():
            if isinstance(module, nn.MultiheadAttention):
                module.dropout = 0.0
            elif isinstance(module, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
                module.dropout.p = 0.0

    def loss(self, rows: list[Row]) -> Tensor:
        """Return the mean loss of target tokens; the decoder begins with padding, as ours."""
        sources_BS, targets_BL = (_padded([row[side] for row in rows]) for side in (0, 1))
        is_padding_BS = sources_BS == PAD
        hidden_BLD = self.body(
            self.dropout(self.read(sources_BS)),
            self.dropout(self.read(_after(PAD, targets_BL))),
            tgt_mask=_causal(targets_BL),
            tgt_is_causal=True,
            src_key_padding_mask=is_padding_BS,
            memory_key_padding_mask=is_padding_BS,
        )
        return self.foretell(hidden_BLD, targets_BL)


class PaddedDecoder(Padded):
    """`torch.nn.TransformerEncoder` with a causal mask, norms before each sub-layer."""

    def __init__(
        self,
        vocabulary: int,
        width: int,
        heads: int,
        layers: int,
        feedforward: int,
        longest: int,
    ) -> None:
        super().__init__(vocabulary, width, longest, deviation=0.02, scale=1.0)
        layer = nn.TransformerEncoderLayer(
            width, heads, feedforward, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.body = nn.TransformerEncoder(
            layer, layers, nn.LayerNorm(width), enable_nested_tensor=False
        )

    def loss(self, rows: list[Row]) -> Tensor:
        """Return the mean loss of all tokens of the texts."""
        targets_BL = _padded([row[-1] for row in rows])
        hidden_BLD = self.body(
            self.read(_after(END, targets_BL)), mask=_causal(targets_BL), is_causal=True
        )
        return self.foretell(hidden_BLD, targets_BL)


def _padded(rows: list[list[int]]) -> Tensor:
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=PAD)


def _after(first: int, targets_BL: Tensor) -> Tensor:
    """Return what a decoder is given to foretell targets: them, one place on."""
    return pad(targets_BL[:, :-1], (1, 0), value=first)


def _causal(ids_BL: Tensor) -> Tensor:
    return nn.Transformer.generate_square_subsequent_mask(ids_BL.shape[1])
