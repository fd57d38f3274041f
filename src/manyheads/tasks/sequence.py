"""What the tasks with one row of outputs for each text have in common.

    texts ── Reader ─→ examples ── collate ─→ Batch ── TaskModel ─→ outputs ── losses / predict

A text may be read as several pieces (windows); every piece is a sequence of the batch, and the
outputs of a text are the mean over its pieces.
"""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from manyheads.core.layout import Layout
from manyheads.core.pooling import encode_pooled
from manyheads.hub import Pretrained
from manyheads.hub.mean_block import append_mean_block
from manyheads.tasks.augment import drop_tokens
from manyheads.tasks.batch import Batch
from manyheads.tasks.labels import Describe, labels_of, require_texts, require_whole_pairs
from manyheads.tasks.metrics import Scores
from manyheads.tasks.outputs import HeadModel, OutputTask
from manyheads.tasks.reader import Reader, cleaned
from manyheads.tasks.task import Columns, Noise, Reading
from manyheads.text import Cleaning, Encoded

BAG_OF_WORDS = "bag of words"


@dataclass(frozen=True, slots=True)
class Example:
    """One row, ready for a batch: its number in the split, its tokens, what to learn from it."""

    row: int
    encoded: Encoded
    target: Any = None

    @property
    def tokens(self) -> int:
        """The tokens that a batch holds for this example, over all its pieces."""
        return sum(len(piece.ids) for piece in self.encoded.pieces)

    @property
    def texts(self) -> tuple[Encoded, ...]:
        """The text that was read."""
        return (self.encoded,)

    def digest(self, seed: int) -> int:
        """Return a checksum of tokens and target, going on from `seed`."""
        for piece in self.encoded.pieces:
            seed = zlib.crc32(piece.ids, seed)
        return zlib.crc32(repr(self.target).encode(), seed)


class TaskModel(HeadModel):
    """A Transformer that reads texts, with a head."""

    def forward(self, batch: Batch) -> Tensor:
        """Return the outputs (N, C) of a batch's examples."""
        return _mean_over_pieces(self.head(self._pooled(batch)), batch)

    def features(self, batch: Batch) -> Tensor:
        """Return what the head's last layer sees, (N, D): its outputs are linear in it."""
        return _mean_over_pieces(self.head.features(self._pooled(batch)), batch)

    def _pooled(self, batch: Batch) -> Tensor:
        return encode_pooled(
            self.transformer, batch.ids, batch.layout, batch.segments, self.head.spec.pooling
        )


def _mean_over_pieces(rows_BD: Tensor, batch: Batch) -> Tensor:
    """Return one row for each example, (N, D), of one row for each piece, (B, D)."""
    if len(batch.layout) == len(batch):
        return rows_BD
    sums_ND = rows_BD.new_zeros(len(batch), rows_BD.shape[1])
    pieces = torch.bincount(batch.owners, minlength=len(batch))[:, None]
    return sums_ND.index_add(0, batch.owners, rows_BD) / pieces


class SequenceTask(OutputTask):
    """What the three tasks share: one row of outputs for each text or pair."""

    @abstractmethod
    def bag_of_words(
        self, seen: Sequence[str], labels: Sequence[Any], asked: Sequence[str], truth: Sequence[Any]
    ) -> Scores:
        """Return what TF-IDF with a linear model, learnt from labelled texts, says of others."""

    def check(self, columns: Columns, describe: Describe) -> None:
        """Raise `DataError` for images, half a pair, or a label that cannot be learnt."""
        require_texts(columns)
        require_whole_pairs(columns, describe)
        super().check(columns, describe)

    def corpus(self, columns: Columns) -> Columns:
        """Return the texts that a tokenizer is learnt from: all of them."""
        return columns

    def prepared(self, pretrained: Pretrained) -> Pretrained:
        """Return the model, with its mean in the first token where its head reads that."""
        return append_mean_block(pretrained)

    def model_of(self, pretrained: Pretrained, seed: int = 0) -> TaskModel:
        """Return the body with the family's head."""
        head = self.head(pretrained, seed)
        return TaskModel(pretrained.transformer, head, self.is_answered_by(pretrained))

    def reader(self, pretrained: Pretrained, reading: Reading) -> Reader:
        """Return how texts are read for this model."""
        limit = pretrained.longest_input
        return Reader(
            pretrained.require_tokenizer(),
            reading.cleaning,
            reading.truncation(limit),
            reading.paired,
        )

    def read(self, reader: Reader, columns: Columns, describe: Describe) -> list[Example]:
        """Return an example for each row."""
        targets = self.targets(labels_of(columns), describe)
        encoded = reader.read(columns["text"], columns.get("pair"))
        return [
            Example(row, one, target)
            for row, (one, target) in enumerate(zip(encoded, targets, strict=True))
        ]

    def collate(self, samples: Sequence[Example]) -> Batch:
        """Lay examples end to end."""
        pieces = [(n, piece) for n, one in enumerate(samples) for piece in one.encoded.pieces]
        ids, layout = Layout.flatten([piece.ids for _, piece in pieces])
        return Batch(
            rows=tuple(example.row for example in samples),
            ids=ids,
            segments=torch.tensor([s for _, piece in pieces for s in piece.segments]),
            layout=layout,
            owners=torch.tensor([owner for owner, _ in pieces]),
            targets=self.tensor([example.target for example in samples]),
        )

    def draw(self, samples: Sequence[Example], reader: Reader | None, noise: Noise) -> Batch:
        """Lay examples end to end, some of their tokens left out."""
        batch = self.collate(samples)
        return drop_tokens(batch, noise.tokens) if noise.tokens else batch

    def baseline(self, train: Columns, columns: Columns, cleaning: Cleaning) -> tuple[str, Scores]:
        """Return what a bag of words reaches on a split after learning from the training rows."""
        scores = self.bag_of_words(
            joined(cleaned(train, cleaning)),
            labels_of(train),
            joined(cleaned(columns, cleaning)),
            labels_of(columns),
        )
        return BAG_OF_WORDS, scores


def joined(columns: Columns) -> list[str]:
    """Return each row's text, the second text of a pair behind it."""
    pairs = columns.get("pair")
    if pairs is None:
        return list(columns["text"])
    return [f"{text}\n{pair}" for text, pair in zip(columns["text"], pairs, strict=True)]
