"""Classification and multi-label classification of texts and text pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from manyheads.errors import DataError
from manyheads.tasks import baseline, metrics
from manyheads.tasks.averaging import mean_of_sigmoids
from manyheads.tasks.decision import Thresholds
from manyheads.tasks.labels import (
    Describe,
    index_labels,
    label_name,
    label_names,
    labels_of,
)
from manyheads.tasks.one_label import OneLabel
from manyheads.tasks.sequence import SequenceTask
from manyheads.tasks.task import Columns, Run


@dataclass(frozen=True)
class MultiLabelled:
    """The prediction of one text: every label whose probability reaches its threshold."""

    labels: tuple[str, ...]
    probabilities: dict[str, float]

    def __str__(self) -> str:
        return ", ".join(self.labels) or "(none)"


@dataclass(frozen=True)
class Classification(OneLabel, SequenceTask):
    """One label of several for each text: softmax and cross entropy.

    `labels` are found in the training data unless given, `class_weights` weigh each class's
    examples, `label_smoothing` moves that much probability to the other labels (Szegedy et al.
    2016, section 7).
    """

    name = "classification"

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

    The label column holds lists, or text with the labels separated by `separator`. A label is given
    from one half on, or from where `thresholds` chooses after training.
    """

    labels: tuple[str, ...] = ()
    separator: str = "|"
    thresholds: Thresholds | None = None

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
        """Return the labels whose probabilities reach their thresholds."""
        result, least = [], self._least()
        for row in self.probabilities(outputs).tolist():
            by_label = dict(zip(self.labels, row, strict=True))
            chosen = (name for name, p, t in zip(self.labels, row, least, strict=True) if p >= t)
            result.append(MultiLabelled(tuple(chosen), by_label))
        return result

    def _least(self) -> Sequence[float]:
        """Return the probability from which on each label is given."""
        found = () if self.thresholds is None else self.thresholds.values
        return found or (0.5,) * len(self.labels)

    @property
    def wanted(self) -> str:
        """What was asked to be chosen on rows held out; "" where nothing was."""
        return "" if self.thresholds is None else "thresholds"

    @property
    def rule(self) -> str:
        """What was chosen on the validation split, in a line; "" where nothing is."""
        chosen = self.thresholds
        return "" if chosen is None or not chosen.values else str(chosen)

    def tuned(
        self, model: Any, reader: Any, samples: Sequence[Any], columns: Columns, run: Run
    ) -> Self:
        """Return this task with the thresholds that fit a split."""
        if self.thresholds is None:
            return self
        outputs_NC = run(lambda batch: model(batch).float().cpu(), samples)
        truth_NC = torch.tensor([one.target for one in samples]).bool().numpy()
        found = self.thresholds.tuned(self.probabilities(outputs_NC).double().numpy(), truth_NC)
        return replace(self, thresholds=found)

    def averaged(self, outputs: Sequence[Tensor]) -> Tensor:
        """Return the log-odds of the mean of the models' probabilities, (N, C)."""
        return mean_of_sigmoids(outputs)

    def agreed(self, others: Sequence[Self]) -> Self:
        """Return this task with the mean of the models' thresholds."""
        rules = [one.thresholds for one in (self, *others) if one.thresholds is not None]
        return replace(self, thresholds=rules[0].agreed(rules[1:]) if rules else None)

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
        chosen = self.thresholds and {"thresholds": self.thresholds.to_json()}
        return {"labels": list(self.labels), "separator": self.separator, **(chosen or {})}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make a task again from `to_json`."""
        chosen = saved.get("thresholds")
        thresholds = None if chosen is None else Thresholds.from_json(chosen)
        return cls(tuple(saved["labels"]), saved["separator"], thresholds)
