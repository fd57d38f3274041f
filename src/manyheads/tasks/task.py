"""A task says WHAT is learned; `manyheads.train` says how.

    columns ── fit_to ─→ task that knows its labels
    texts ── Reader ─→ examples ── collate ─→ Batch ── TaskModel ─→ outputs ── loss / predict

A text may be read as several pieces (windows); every piece is a sequence of the batch, and the
outputs of a text are the mean over its pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from manyheads.core.head import SequenceHead, encode_pooled
from manyheads.core.layout import Layout
from manyheads.core.transformer import Transformer
from manyheads.hub import Pretrained
from manyheads.tasks.labels import Describe
from manyheads.tasks.metrics import Scores
from manyheads.text import Cleaning, Encoded, Tokenizer, Truncation

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Reader:
    """From text to tokens, always in the same way: clean, tokenize, truncate."""

    tokenizer: Tokenizer
    cleaning: Cleaning
    truncation: Truncation

    def read(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> list[Encoded]:
        """Return the tokens of each text, or of each pair of texts; raises `TextError`."""
        clean_pairs = None if pairs is None else self._clean(pairs)
        return self.tokenizer.encode(self._clean(texts), clean_pairs, truncation=self.truncation)

    def _clean(self, texts: Sequence[str]) -> Sequence[str]:
        """Clean each text; what is none is left to the tokenizer, which refuses it by number."""
        if isinstance(texts, str):
            return texts
        return [self.cleaning(text) if isinstance(text, str) else text for text in texts]


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


@dataclass(frozen=True)
class Batch:
    """Examples laid end to end. N examples have B ≥ N pieces of T tokens in all."""

    rows: tuple[int, ...]
    ids: Tensor  # (T)
    segments: Tensor  # (T)
    layout: Layout
    owners: Tensor  # (B): the example of each piece
    targets: Tensor | None  # (N, …)

    def __len__(self) -> int:
        return len(self.rows)

    def to(self, device: torch.device) -> Batch:
        """Return the batch on another device."""
        if self.ids.device == device:
            return self
        return Batch(
            self.rows,
            self.ids.to(device, non_blocking=True),
            self.segments.to(device, non_blocking=True),
            self.layout.to(device),
            self.owners.to(device, non_blocking=True),
            None if self.targets is None else self.targets.to(device, non_blocking=True),
        )


@dataclass(frozen=True)
class Loss:
    """A sum over examples and the weight to divide by, so that sums of batches average rightly."""

    total: Tensor
    weight: float

    @property
    def mean(self) -> Tensor:
        """The loss of an average example."""
        return self.total / self.weight


class TaskModel(nn.Module):
    """A Transformer with a head: what is trained, evaluated and saved."""

    def __init__(self, transformer: Transformer, head: SequenceHead) -> None:
        super().__init__()
        self.transformer = transformer
        self.head = head

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


class Task(Protocol):
    """What a task must know; `Learner` and `Predictor` know no more of it than this."""

    @property
    def name(self) -> str:
        """The name under which a saved predictor finds this task again."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the outputs, in their order."""

    @property
    def metric(self) -> str:
        """The score that chooses the best weights unless the recipe names another."""

    def fit_to(self, columns: Columns, describe: Describe) -> Self:
        """Return this task with what it must know of its training data, such as the labels."""

    def targets(self, labels: Sequence[Any], describe: Describe) -> list[Any]:
        """Return what to learn from each label; raises `DataError` naming the row."""

    def head(self, pretrained: Pretrained, seed: int = 0) -> SequenceHead:
        """Return the head for a body, with published weights where they fit."""

    def is_answered_by(self, pretrained: Pretrained) -> bool:
        """Whether the published last layer is worth starting from: it means what it must here."""

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Lay examples end to end."""

    def losses(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss and the weight of each example, (N) and (N)."""

    def predict(self, outputs: Tensor) -> list[Any]:
        """Return a prediction for each row of outputs."""

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Return the probability of each label, (N, C)."""

    def folded(self, head: SequenceHead) -> Self:
        """Make the head give outputs that need no task to be read; return the task that fits."""

    def score(self, labels: Sequence[Any], outputs: Tensor) -> Scores:
        """Compare the outputs of a split with its labels."""

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` needs to make this task again."""

    def hub_settings(self) -> dict[str, Any]:
        """Return what a published configuration says of this task: labels, kind of problem."""


def loss_of(task: Task, model: TaskModel, batch: Batch) -> Loss:
    """Return the loss of a batch; its targets must be there."""
    assert batch.targets is not None
    losses_N, weights_N = task.losses(model(batch), batch.targets)
    return Loss((losses_N * weights_N).sum(), float(weights_N.sum()))
