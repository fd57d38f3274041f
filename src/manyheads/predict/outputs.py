"""What predictors of labels and numbers have in common, whatever they read."""

from __future__ import annotations

from typing import Any, Self

from manyheads.families import Family
from manyheads.hub import Pretrained, save_with_sequence_head
from manyheads.predict.head import HeadPredictor
from manyheads.tasks import HeadModel, OutputTask


class OutputPredictor(HeadPredictor):
    """A trained model with one row of outputs for each example."""

    head_format = staticmethod(Family.require_sequence_head)
    save_model = staticmethod(save_with_sequence_head)

    @classmethod
    def keeping(
        cls, task: OutputTask, model: HeadModel, reader: Any, pretrained: Pretrained
    ) -> Self:
        """Return the predictor of a trained model; what training changed in its outputs is undone.

        It keeps the very weights, which nobody else needs.
        """
        return cls(model.eval(), task.folded(model.head), reader, pretrained)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the outputs, in the order of `probabilities`."""
        return self.task.labels
