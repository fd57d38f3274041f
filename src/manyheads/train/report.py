"""The evaluation of a model on a split, with a bag-of-words baseline beside it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from manyheads.data import Split
from manyheads.errors import DataError
from manyheads.predict import Predictor, run
from manyheads.tasks import Classification, Example, MultiLabel, Regression, Task
from manyheads.tasks.labels import label_name
from manyheads.tasks.metrics import (
    ClassificationScores,
    Interval,
    LabelScores,
    Scores,
    classification_scores,
    multilabel_scores,
    regression_scores,
)
from manyheads.tasks.task import Columns
from manyheads.text import Encoded
from manyheads.train import baseline
from manyheads.train.plots import draw_confusion_matrix
from manyheads.train.progress import Reporter

BASELINE = "bag of words"
_WIDTH = 96


@dataclass(frozen=True)
class Truncated:
    """How many texts of a split were cut, and how many of their tokens no piece holds."""

    texts: int
    rows: int
    dropped_tokens: int
    tokens: int

    @classmethod
    def of(cls, encoded: Sequence[Encoded]) -> Truncated:
        """Count what truncation took from texts."""
        dropped = [one.dropped for one in encoded]
        return cls(
            texts=sum(1 for tokens in dropped if tokens),
            rows=len(encoded),
            dropped_tokens=sum(dropped),
            tokens=sum(one.tokens for one in encoded),
        )

    def __str__(self) -> str:
        if not self.texts:
            return f"none of {self.rows:,} texts was cut"
        share = self.dropped_tokens / max(self.tokens, 1)
        return (
            f"{self.texts:,} of {self.rows:,} texts were cut; they lost {share:.1%} of all tokens"
        )


@dataclass(frozen=True)
class Evaluation:
    """Scores on a split; print it, or take `scores` and `to_json()`."""

    split: str
    source: str
    scores: Scores
    baseline: Scores | None
    truncated: Truncated
    loss: float

    def __str__(self) -> str:
        # Labels are shown as they are, also where they look like rich's markup.
        console = Console(
            file=io.StringIO(), width=_WIDTH, highlight=False, markup=False, emoji=False
        )
        console.print(f"{self.split}: {self.truncated.rows:,} rows of {self.source}")
        console.print(self._summary())
        labels = getattr(self.scores, "per_label", ())
        if labels:
            console.print(_per_label(labels))
        console.print(f"Truncation: {self.truncated}.")
        assert isinstance(console.file, io.StringIO)
        return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())

    def _summary(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
        table.add_column("")
        table.add_column("manyheads", justify="right")
        if self.baseline is not None:
            table.add_column(BASELINE, justify="right")
        other = self.baseline.numbers() if self.baseline is not None else {}
        for name, value in self.scores.numbers().items():
            cells = [name.replace("_", " "), f"{value:.4f}"]
            if self.baseline is not None:
                cells.append(f"{other[name]:.4f}" if name in other else "–")
            table.add_row(*cells)
            if interval := getattr(self.scores, f"{name}_interval", None):
                cells = [f"  {interval.level:.0%} interval", _bounds(interval)]
                if self.baseline is not None:
                    cells.append(_bounds(getattr(self.baseline, f"{name}_interval")))
                table.add_row(*cells, style="dim")
        return table

    def to_json(self) -> dict[str, Any]:
        """Return the evaluation as JSON."""
        return {
            "split": self.split,
            "source": self.source,
            "loss": self.loss,
            "scores": self.scores.to_json(),
            "baseline": None if self.baseline is None else self.baseline.to_json(),
            "truncated": asdict(self.truncated),
        }

    def draw(self, path: str | Path) -> Path | None:
        """Save the confusion matrix as a picture, where the task has one; return its path."""
        if not isinstance(self.scores, ClassificationScores):
            return None
        title = f"Confusion matrix, {self.split} (accuracy {self.scores.accuracy:.3f})"
        draw_confusion_matrix(self.scores.labels, self.scores.confusion, path, title)
        return Path(path)


def _bounds(interval: Interval) -> str:
    return f"{interval.low:.3f}–{interval.high:.3f}"


def _per_label(labels: Sequence[LabelScores]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("label", max_width=40, overflow="ellipsis", no_wrap=True)
    for name in ("precision", "recall", "F1", "rows"):
        table.add_column(name, justify="right")
    for one in labels:
        cells = (f"{value:.3f}" for value in (one.precision, one.recall, one.f1))
        table.add_row(one.label, *cells, f"{one.support:,}")
    return table


def evaluate_predictor(predictor: Predictor, split: Split, reporter: Reporter) -> Evaluation:
    """Score a saved predictor on a split; without training rows there is no baseline.

    Raises `DataError` where the split has no labels, or labels that the predictor does not know.
    """
    task, columns = predictor.task, split.columns
    if "label" not in columns:
        raise DataError(f"{split.source} has no label column to compare with; name it")
    targets = task.targets(columns["label"], split.describe)
    encoded = predictor.reader.read(columns["text"], columns.get("pair"))
    examples = [Example(row, one) for row, one in enumerate(encoded)]
    with reporter.rows("evaluating", len(examples)) as advance:
        outputs = run(predictor.model, task, examples, progress=advance)
    return Evaluation(
        split=split.name,
        source=split.source,
        scores=task.score(columns["label"], outputs),
        baseline=None,
        truncated=Truncated.of(encoded),
        loss=float(task.losses(outputs, torch.tensor(targets))[0].mean()),
    )


def baseline_scores(task: Task, train: Columns, split: Columns) -> Scores:
    """Return what TF-IDF with a linear model reaches on `split` after learning from `train`."""
    seen, asked = _texts(train), _texts(split)
    match task:
        case Classification():
            names = [label_name(value) for value in train["label"]]
            guess = baseline.predict_labels(seen, names, asked, task.labels)
            truth = [label_name(value) for value in split["label"]]
            return classification_scores(truth, guess.predicted, task.labels, guess.probabilities)
        case MultiLabel():
            sets = [task.split(value) for value in train["label"]]
            many = baseline.predict_label_sets(seen, sets, asked, task.labels)
            wanted = [task.split(value) for value in split["label"]]
            return multilabel_scores(wanted, many.predicted, task.labels, many.probabilities)
        case Regression():
            numbers = [float(value) for value in train["label"]]
            values = baseline.predict_numbers(seen, numbers, asked)
            return regression_scores([float(value) for value in split["label"]], values)
    raise AssertionError(f"no baseline for {task.name}")


def _texts(columns: Columns) -> list[str]:
    pairs = columns.get("pair")
    if pairs is None:
        return list(columns["text"])
    return [f"{text}\n{pair}" for text, pair in zip(columns["text"], pairs, strict=True)]
