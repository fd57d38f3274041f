"""What happened in a run, step by step and validation by validation, as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from manyheads.train.early_stopping import best_index
from manyheads.train.loop import Step


@dataclass(frozen=True, slots=True)
class Validation:
    """The scores on the validation split after `step` updates, `loss` among them."""

    step: int
    scores: Mapping[str, float]


@dataclass
class History:
    """The steps and validations of a run, oldest first."""

    steps: list[Step] = field(default_factory=list)
    validations: list[Validation] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """The tokens that the model has learnt from, repeats counted."""
        return sum(step.tokens for step in self.steps)

    def values(self, metric: str) -> list[float]:
        """Return one score of every validation."""
        return [validation.scores[metric] for validation in self.validations]

    def best(self, metric: str) -> int | None:
        """Return the number of the best validation by `metric`, equals decided by the loss."""
        values = self.values(metric)
        if not values:
            return None
        record = values[best_index(metric, values)]
        # A record that is no number says that none is: then they are all equal.
        equals = [n for n, value in enumerate(values) if value == record or math.isnan(record)]
        losses = self.values("loss")
        return equals[best_index("loss", [losses[n] for n in equals])]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return {
            "steps": [asdict(step) for step in self.steps],
            "validations": [asdict(validation) for validation in self.validations],
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> History:
        """Make a history again from `to_json`."""
        return cls(
            [Step(**step) for step in saved["steps"]],
            [Validation(**validation) for validation in saved["validations"]],
        )
