"""What the tasks with one row of outputs for each example have in common, whatever is read.

examples ── collate ─→ batch ── HeadModel ─→ outputs ── losses / predict / score
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from manyheads.core.head import SequenceHead
from manyheads.core.initialize import initialize
from manyheads.core.transformer import Transformer
from manyheads.hub import Pretrained
from manyheads.tasks.labels import Describe, labels_of
from manyheads.tasks.metrics import Scores
from manyheads.tasks.probe import probe
from manyheads.tasks.task import Columns, Judgement, Loss, Run


class HeadModel(nn.Module):
    """A Transformer with a head: what is trained, evaluated and saved.

    `answers` says that the head's last layer was published with the same labels.
    """

    def __init__(self, transformer: Transformer, head: SequenceHead, answers: bool = False) -> None:
        super().__init__()
        self.transformer = transformer
        self.head = head
        self.answers = answers

    @abstractmethod
    def forward(self, batch: Any) -> Tensor:
        """Return the outputs (N, C) of a batch's examples."""

    @abstractmethod
    def features(self, batch: Any) -> Tensor:
        """Return what the head's last layer sees, (N, D): its outputs are linear in it."""


class OutputTask:
    """One row of outputs for each example: labels or values."""

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

    def check(self, columns: Columns, describe: Describe) -> None:
        """Raise `DataError` for a row whose label cannot be learnt."""
        self.targets(labels_of(columns), describe)

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

    def tensor(self, targets: list[Any]) -> Tensor | None:
        """Return targets as a tensor (N, …), or None for examples without any."""
        return None if targets[0] is None else torch.tensor(targets)

    def loss(self, model: HeadModel, batch: Any) -> Loss:
        """Return the loss of a batch; its targets must be there."""
        assert batch.targets is not None
        losses_N, weights_N = self.losses(model(batch), batch.targets)
        return Loss((losses_N * weights_N).sum(), float(weights_N.sum()))

    def begin(self, model: HeadModel, samples: Sequence[Any], run: Run) -> None:
        """Set a last layer that would start as noise to the best linear reading of the body."""
        if samples and not model.answers:
            self.set_head(model, samples, run)

    def set_head(self, model: HeadModel, samples: Sequence[Any], run: Run) -> None:
        """Set the last layer to the best linear reading of the body as it is."""
        features_ND = run(model.eval().features, samples)
        targets = torch.tensor([one.target for one in samples], device=features_ND.device)
        probe(model.head.out, features_ND, targets, self.losses)

    def judge(
        self,
        model: HeadModel,
        reader: Any,
        samples: Sequence[Any],
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
