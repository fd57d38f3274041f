"""One label of several for each example: the loss, the scores and the predictions of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from manyheads.core.head import SequenceHead
from manyheads.errors import DataError
from manyheads.tasks import metrics
from manyheads.tasks.averaging import mean_of_softmaxes
from manyheads.tasks.decision import Calibrated, best_temperature
from manyheads.tasks.labels import (
    Describe,
    index_labels,
    label_name,
    label_names,
    labels_of,
    refuse_numbers,
)
from manyheads.tasks.outputs import OutputTask
from manyheads.tasks.task import Columns, Run


class Balance(Enum):
    """Class weights that follow from the data."""

    INVERSE = "inverse"  # N / (classes · count): every class weighs the same


ClassWeights = Mapping[str, float] | Balance


@dataclass(frozen=True)
class Labelled:
    """The prediction of one example: the label, its probability, and those of all labels.

    It is not sure where the task leaves open what is less probable (`Calibrated`).
    """

    label: str
    probability: float
    probabilities: dict[str, float]
    is_sure: bool = True

    def __str__(self) -> str:
        return self.label if self.is_sure else f"not sure ({self.label})"


@dataclass(frozen=True)
class OneLabel(OutputTask):
    """One label of several for each example: softmax and cross entropy.

    `labels` are found in the training data unless given, `class_weights` weigh each class's
    examples, `label_smoothing` moves that much probability to the other labels (Szegedy et al.
    2016, section 7). `calibration` chooses a temperature after training, and what is left open.
    """

    labels: tuple[str, ...] = ()
    class_weights: ClassWeights | None = None
    label_smoothing: float = 0.0
    calibration: Calibrated | None = None

    metric = "accuracy"
    problem_type = "single_label_classification"

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise DataError(f"label_smoothing={self.label_smoothing} is outside 0 to 1")

    def fit_to(self, columns: Columns, describe: Describe) -> Self:
        """Find the labels and their weights; raises `DataError` for fewer than two classes."""
        values = labels_of(columns)
        if values and isinstance(values[0], list | tuple):
            raise DataError("the labels are lists; choose the task MultiLabel (--task multi-label)")
        refuse_numbers(values, describe)
        names = self.labels or label_names(values)
        if len(names) < 2:
            raise DataError(
                f"all {len(values)} training examples have the label {names[0]!r}; "
                "a classifier needs examples of at least 2 classes"
            )
        return replace(self, labels=names, class_weights=self._weights(values, names))

    def _weights(self, values: Sequence[Any], names: Sequence[str]) -> Mapping[str, float] | None:
        counts = Counter(label_name(value) for value in values)
        if self.class_weights is Balance.INVERSE:
            total = len(values) / len(names)
            return {name: total / max(counts[name], 1) for name in names}
        if self.class_weights is None or isinstance(self.class_weights, Balance):
            return None
        index_labels(list(self.class_weights), names, lambda _: "class_weights")
        for name, weight in self.class_weights.items():
            if not 0 < weight < math.inf:
                raise DataError(
                    f"class_weights[{name!r}]={weight} is no positive number; choose one above 0"
                )
        return self.class_weights

    def targets(self, labels: Sequence[Any], describe: Describe) -> list[int]:
        """Return the position of each label; raises `DataError` for unknown ones."""
        refuse_numbers(labels, describe)
        return index_labels(labels, self.labels, describe)

    def losses(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return cross entropy in nats and class weight of each example, (N) and (N)."""
        losses_N = functional.cross_entropy(
            outputs.float(), targets, reduction="none", label_smoothing=self.label_smoothing
        )
        if not self.class_weights or isinstance(self.class_weights, Balance):
            return losses_N, torch.ones_like(losses_N)
        weights = [self.class_weights.get(name, 1.0) for name in self.labels]
        return losses_N, losses_N.new_tensor(weights)[targets]

    def tempered_loss(self, model: Any, batches: Sequence[Any]) -> float:
        """Return the mean loss of batches at the temperature that is best for them."""
        outputs_NC = torch.cat([model(batch).float().cpu() for batch in batches])
        targets_N = torch.cat([batch.targets.cpu() for batch in batches])
        temperature = best_temperature(outputs_NC, targets_N)
        losses_N, weights_N = self.losses(outputs_NC / temperature, targets_N)
        return float((losses_N * weights_N).sum() / weights_N.sum())

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Return the probability of each label, (N, C); rows sum to 1."""
        temperature = 1.0 if self.calibration is None else self.calibration.temperature
        return (outputs.float() / temperature).softmax(dim=-1)

    @property
    def wanted(self) -> str:
        """What was asked to be chosen on rows held out; "" where nothing was."""
        return "" if self.calibration is None else "calibration"

    @property
    def rule(self) -> str:
        """What was chosen on the validation split, in a line; "" where nothing is."""
        chosen = self.calibration
        return "" if chosen is None or chosen.error_before is None else str(chosen)

    def tuned(
        self, model: Any, reader: Any, samples: Sequence[Any], columns: Columns, run: Run
    ) -> Self:
        """Return this task with the temperature, and what is sure, that fit a split."""
        if self.calibration is None:
            return self
        outputs_NC = run(lambda batch: model(batch).float().cpu(), samples)
        targets_N = torch.tensor([one.target for one in samples])
        return replace(self, calibration=self.calibration.tuned(outputs_NC, targets_N))

    def averaged(self, outputs: Sequence[Tensor]) -> Tensor:
        """Return the logarithm of the mean of the models' probabilities, (N, C)."""
        return mean_of_softmaxes(outputs)

    def agreed(self, others: Sequence[Self]) -> Self:
        """Return this task, sure from the mean of what its models are sure from on."""
        rules = [one.calibration for one in (self, *others) if one.calibration is not None]
        return replace(self, calibration=rules[0].agreed(rules[1:]) if rules else None)

    def folded(self, head: SequenceHead) -> Self:
        """Fold the temperature into the head's last layer; return the task that fits it."""
        if self.calibration is None:
            return self
        with torch.no_grad():
            head.out.weight.div_(self.calibration.temperature)
            head.out.bias.div_(self.calibration.temperature)
        return replace(self, calibration=replace(self.calibration, temperature=1.0))

    def to_json(self) -> dict[str, Any]:
        """Return what a saved predictor keeps of the task."""
        chosen = self.calibration and {"calibration": self.calibration.to_json()}
        return {"labels": list(self.labels), **(chosen or {})}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make a task again from `to_json`."""
        chosen = saved.get("calibration")
        return cls(
            labels=tuple(saved["labels"]),
            calibration=None if chosen is None else Calibrated(**chosen),
        )

    def predict(self, outputs: Tensor) -> list[Labelled]:
        """Return the most probable label of each row."""
        result, sure_from = [], 0.0 if self.calibration is None else self.calibration.sure_from
        for row in self.probabilities(outputs).tolist():
            by_label = dict(zip(self.labels, row, strict=True))
            best = max(by_label, key=by_label.__getitem__)
            is_sure = by_label[best] >= sure_from
            result.append(Labelled(best, by_label[best], by_label, is_sure))
        return result

    def score(self, labels: Sequence[Any], outputs: Tensor) -> metrics.Scores:
        """Return accuracy, F1 and all that follows from the confusion matrix."""
        probabilities = self.probabilities(outputs)
        return metrics.classification_scores(
            [label_name(value) for value in labels],
            [self.labels[best] for best in probabilities.argmax(dim=-1).tolist()],
            self.labels,
            probabilities.numpy(),
        )
