"""What the tasks with one row of outputs for each text have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from manyheads.core.head import SequenceHead
from manyheads.core.layout import Layout
from manyheads.core.transformer import initialize
from manyheads.hub import Pretrained
from manyheads.tasks.task import Batch, Example


class SequenceTask:
    """What the three tasks share: one row of outputs for each text or pair."""

    labels: tuple[str, ...]

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

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Lay examples end to end."""
        pieces = [(n, piece) for n, one in enumerate(examples) for piece in one.encoded.pieces]
        ids, layout = Layout.flatten([piece.ids for _, piece in pieces])
        return Batch(
            rows=tuple(example.row for example in examples),
            ids=ids,
            segments=torch.tensor([s for _, piece in pieces for s in piece.segments]),
            layout=layout,
            owners=torch.tensor([owner for owner, _ in pieces]),
            targets=self.tensor([example.target for example in examples]),
        )

    def tensor(self, targets: list[Any]) -> Tensor | None:
        """Return targets as a tensor (N, …), or None for examples without any."""
        return None if targets[0] is None else torch.tensor(targets)

    def folded(self, head: SequenceHead) -> Self:
        """Return the task as it reads a published head; here there is nothing to fold in."""
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

    problem_type: str
