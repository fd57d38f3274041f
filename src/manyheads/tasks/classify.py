"""Classification and multi-label classification of texts and text pairs."""

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

from manyheads.errors import DataError
from manyheads.tasks import baseline, metrics
from manyheads.tasks.labels import (
    Describe,
    index_labels,
    label_name,
    label_names,
    labels_of,
    refuse_numbers,
)
from manyheads.tasks.sequence import SequenceTask
from manyheads.tasks.task import Columns


class Balance(Enum):
    """Class weights that follow from the data."""

    INVERSE = "inverse"  # N / (classes · count): every class weighs the same


ClassWeights = Mapping[str, float] | Balance


@dataclass(frozen=True)
class Labelled:
    """The prediction of one text: the label, its probability, and those of all labels."""

    label: str
    probability: float
    probabilities: dict[str, float]

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True)
class MultiLabelled:
    """The prediction of one text: every label whose probability reaches one half."""

    labels: tuple[str, ...]
    probabilities: dict[str, float]

    def __str__(self) -> str:
        return ", ".join(self.labels) or "(none)"


@dataclass(frozen=True)
class Classification(SequenceTask):
    """One label of several for each text: softmax and cross entropy.

    `labels` are found in the training data unless given, `class_weights` weigh each class's
    examples, `label_smoothing` moves that much probability to the other labels (Szegedy et al.
    2016, section 7).
    """

    labels: tuple[str, ...] = ()
    class_weights: ClassWeights | None = None
    label_smoothing: float = 0.0

    name = "classification"
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

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Return the probability of each label, (N, C); rows sum to 1."""
        return outputs.float().softmax(dim=-1)

    def predict(self, outputs: Tensor) -> list[Labelled]:
        """Return the most probable label of each row."""
        result = []
        for row in self.probabilities(outputs).tolist():
            by_label = dict(zip(self.labels, row, strict=True))
            best = max(by_label, key=by_label.__getitem__)
            result.append(Labelled(best, by_label[best], by_label))
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

    def bag_of_words(
        self, seen: Sequence[str], labels: Sequence[Any], asked: Sequence[str], truth: Sequence[Any]
    ) -> metrics.Scores:
        """Return what multinomial logistic regression over TF-IDF reaches."""
        names = [label_name(value) for value in labels]
        guess = baseline.predict_labels(seen, names, asked, self.labels)
        expected = [label_name(value) for value in truth]
        return metrics.classification_scores(
            expected, guess.predicted, self.labels, guess.probabilities
        )


@dataclass(frozen=True)
class MultiLabel(SequenceTask):
    """Any number of labels for each text: an independent yes or no for each, by sigmoid.

    The label column holds lists, or text with the labels separated by `separator`.
    """

    labels: tuple[str, ...] = ()
    separator: str = "|"

    name = "multi-label"
    metric = "micro_f1"
    problem_type = "multi_label_classification"

    def __post_init__(self) -> None:
        if not self.separator:
            raise DataError("separator='' separates nothing; choose a character such as '|'")

    def split(self, value: Any) -> list[str]:
        """Return the names of one cell's labels."""
        if isinstance(value, list | tuple):
            return [label_name(one) for one in value]
        if value is None:
            return []
        return [part.strip() for part in str(value).split(self.separator) if part.strip()]

    def fit_to(self, columns: Columns, describe: Describe) -> Self:
        """Find the labels; raises `DataError` where there is none."""
        names = self.labels or label_names(
            name for value in labels_of(columns) for name in self.split(value)
        )
        if not names:
            raise DataError(
                "no training example has any label; name the right column, and the right "
                f"separator (now {self.separator!r})"
            )
        return replace(self, labels=names)

    def targets(self, labels: Sequence[Any], describe: Describe) -> list[list[float]]:
        """Return 1 for each label that a text has, 0 for the others; raises `DataError`."""
        rows = []
        for row, value in enumerate(labels):
            present = index_labels(self.split(value), self.labels, lambda _, row=row: describe(row))
            rows.append([float(i in present) for i in range(len(self.labels))])
        return rows

    def losses(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean binary cross entropy over labels of each example, and weight 1."""
        losses_NC = functional.binary_cross_entropy_with_logits(
            outputs.float(), targets, reduction="none"
        )
        losses_N = losses_NC.mean(dim=-1)
        return losses_N, torch.ones_like(losses_N)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Return the probability of each label on its own, (N, C)."""
        return outputs.float().sigmoid()

    def predict(self, outputs: Tensor) -> list[MultiLabelled]:
        """Return the labels that are more likely than not."""
        result = []
        for row in self.probabilities(outputs).tolist():
            by_label = dict(zip(self.labels, row, strict=True))
            chosen = tuple(name for name, probability in by_label.items() if probability >= 0.5)
            result.append(MultiLabelled(chosen, by_label))
        return result

    def score(self, labels: Sequence[Any], outputs: Tensor) -> metrics.Scores:
        """Return micro and macro F1, exact matches and ranking precision."""
        return metrics.multilabel_scores(
            [self.split(value) for value in labels],
            [prediction.labels for prediction in self.predict(outputs)],
            self.labels,
            self.probabilities(outputs).numpy(),
        )

    def bag_of_words(
        self, seen: Sequence[str], labels: Sequence[Any], asked: Sequence[str], truth: Sequence[Any]
    ) -> metrics.Scores:
        """Return what a logistic regression over TF-IDF for each label reaches."""
        sets = [self.split(value) for value in labels]
        guess = baseline.predict_label_sets(seen, sets, asked, self.labels)
        expected = [self.split(value) for value in truth]
        return metrics.multilabel_scores(
            expected, guess.predicted, self.labels, guess.probabilities
        )

    def to_json(self) -> dict[str, Any]:
        """Return what a saved predictor keeps of the task."""
        return {"labels": list(self.labels), "separator": self.separator}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make a task again from `to_json`."""
        return cls(labels=tuple(saved["labels"]), separator=saved["separator"])
