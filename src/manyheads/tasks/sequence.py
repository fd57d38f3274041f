"""What the tasks with one row of outputs for each text have in common.

    texts ── Reader ─→ examples ── collate ─→ Batch ── TaskModel ─→ outputs ── losses / predict

A text may be read as several pieces (windows); every piece is a sequence of the batch, and the
outputs of a text are the mean over its pieces.
"""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from manyheads.core.head import SequenceHead
from manyheads.core.layout import Layout
from manyheads.core.pooling import encode_pooled
from manyheads.core.transformer import Transformer, initialize
from manyheads.hub import Pretrained
from manyheads.hub.mean_block import append_mean_block
from manyheads.tasks.augment import drop_tokens
from manyheads.tasks.batch import Batch
from manyheads.tasks.labels import Describe, labels_of
from manyheads.tasks.metrics import Scores
from manyheads.tasks.probe import probe
from manyheads.tasks.reader import Reader, cleaned
from manyheads.tasks.task import Columns, Judgement, Loss, Noise, Reading, Run
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


class TaskModel(nn.Module):
    """A Transformer with a head: what is trained, evaluated and saved.

    `answers` says that the head's last layer was published with the same labels.
    """

    def __init__(self, transformer: Transformer, head: SequenceHead, answers: bool = False) -> None:
        super().__init__()
        self.transformer = transformer
        self.head = head
        self.answers = answers

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


class SequenceTask:
    """What the three tasks share: one row of outputs for each text or pair."""

    labels: tuple[str, ...]
    problem_type: str

    @abstractmethod
    def targets(self, labels: Sequence[Any], describe: Describe) -> list[Any]:
        """Return what to learn from each label; raises `DataError` naming the row."""

    @abstractmethod
    def losses(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss and the weight of each example, (N) and (N)."""

    @abstractmethod
    def predict(self, outputs: Tensor) -> list[Any]:
        """Return a prediction for each row of outputs."""

    @abstractmethod
    def probabilities(self, outputs: Tensor) -> Tensor:
        """Return the probability of each label, (N, C)."""

    @abstractmethod
    def score(self, labels: Sequence[Any], outputs: Tensor) -> Scores:
        """Compare the outputs of a split with its labels."""

    @abstractmethod
    def bag_of_words(
        self, seen: Sequence[str], labels: Sequence[Any], asked: Sequence[str], truth: Sequence[Any]
    ) -> Scores:
        """Return what TF-IDF with a linear model, learnt from labelled texts, says of others."""

    def check(self, columns: Columns, describe: Describe) -> None:
        """Raise `DataError` for a row whose label cannot be learnt."""
        self.targets(labels_of(columns), describe)

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

    def head(self, pretrained: Pretrained, seed: int = 0) -> SequenceHead:
        """Return the family's head, with the published layers that mean the same here."""
        format_ = pretrained.family.require_sequence_head()
        head = SequenceHead(format_.to_spec(pretrained.config), len(self.labels))
        initialize(head, seed=seed)
        published, _ = format_.rules.to_ours(pretrained.head_weights)
        if not self.is_answered_by(pretrained):
            published = {n: t for n, t in published.items() if not n.startswith("out.")}
        own = head.state_dict()
        fitting = {n: t for n, t in published.items() if n in own and t.shape == own[n].shape}
        head.load_state_dict(fitting, strict=False)
        return head

    def is_answered_by(self, pretrained: Pretrained) -> bool:
        """Whether the published last layer answers with these labels, in this order."""
        names = pretrained.config.get("id2label")
        return pretrained.is_sequence_classifier and names == self.hub_settings()["id2label"]

    def reader(self, pretrained: Pretrained, reading: Reading) -> Reader:
        """Return how texts are read for this model."""
        limit = pretrained.longest_input
        return Reader(pretrained.require_tokenizer(), reading.cleaning, reading.truncation(limit))

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

    def tensor(self, targets: list[Any]) -> Tensor | None:
        """Return targets as a tensor (N, …), or None for examples without any."""
        return None if targets[0] is None else torch.tensor(targets)

    def loss(self, model: TaskModel, batch: Batch) -> Loss:
        """Return the loss of a batch; its targets must be there."""
        assert batch.targets is not None
        losses_N, weights_N = self.losses(model(batch), batch.targets)
        return Loss((losses_N * weights_N).sum(), float(weights_N.sum()))

    def begin(self, model: TaskModel, samples: Sequence[Example], run: Run) -> None:
        """Set a last layer that would start as noise to the best linear reading of the body."""
        if samples and not model.answers:
            features_ND = run(model.eval().features, samples)
            targets = torch.tensor([one.target for one in samples], device=features_ND.device)
            probe(model.head.out, features_ND, targets, self.losses)

    def judge(
        self,
        model: TaskModel,
        reader: Reader,
        samples: Sequence[Example],
        columns: Columns,
        run: Run,
    ) -> Judgement:
        """Compare what the model says of each row with its label."""
        outputs = run(lambda batch: model(batch).float().cpu(), samples)
        losses_N = self.losses(outputs, torch.tensor([one.target for one in samples]))[0]
        return Judgement(
            loss=float(losses_N.mean()),
            scores=self.score(columns["label"], outputs),
            rows=[one.row for one in samples],
            losses=losses_N.tolist(),
            prediction=lambda row: self.predict(outputs[row : row + 1])[0],
        )

    def in_training(self) -> Self:
        """Return the task: validations judge as `judge` does."""
        return self

    def rehearsal(self, columns: Columns) -> Scores:
        """Return the scores of random outputs."""
        noise = torch.Generator().manual_seed(0)
        labels = columns["label"]
        return self.score(labels, torch.randn(len(labels), len(self.labels), generator=noise))

    def baseline(self, train: Columns, columns: Columns, cleaning: Cleaning) -> tuple[str, Scores]:
        """Return what a bag of words reaches on a split after learning from the training rows."""
        scores = self.bag_of_words(
            joined(cleaned(train, cleaning)),
            labels_of(train),
            joined(cleaned(columns, cleaning)),
            labels_of(columns),
        )
        return BAG_OF_WORDS, scores

    def folded(self, head: SequenceHead) -> Self:
        """Make the head give outputs that need no task to be read; return the task that fits."""
        return self

    def to_json(self) -> dict[str, Any]:
        """Return what a saved predictor keeps of the task."""
        return {"labels": list(self.labels)}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make a task again from `to_json`."""
        return cls(labels=tuple(saved["labels"]))  # type: ignore[call-arg]

    def hub_settings(self) -> dict[str, Any]:
        """Return the keys of a published configuration that name labels and kind of problem."""
        return {
            "id2label": {str(i): name for i, name in enumerate(self.labels)},
            "label2id": {name: i for i, name in enumerate(self.labels)},
            "problem_type": self.problem_type,
        }


def joined(columns: Columns) -> list[str]:
    """Return each row's text, the second text of a pair behind it."""
    pairs = columns.get("pair")
    if pairs is None:
        return list(columns["text"])
    return [f"{text}\n{pair}" for text, pair in zip(columns["text"], pairs, strict=True)]
