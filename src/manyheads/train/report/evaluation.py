"""The evaluation of a model on a split, with a baseline of its task beside it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from manyheads.data import Split
from manyheads.data.splits import with_known_labels
from manyheads.predict import map_batches, map_ragged
from manyheads.tasks import Judgement, ManyHeads, MultiLabel, OneLabel, Sample, Task
from manyheads.tasks.metrics import (
    ClassificationScores,
    Interval,
    LabelScores,
    Scores,
)
from manyheads.tasks.task import device_of
from manyheads.text import Encoded
from manyheads.train.progress import Reporter
from manyheads.train.readable import readable
from manyheads.train.report.plots import draw_confusion_matrix

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
    rows: int
    scores: Scores
    truncated: Truncated
    loss: float
    baseline: Scores | None = None
    baseline_name: str = ""

    def __str__(self) -> str:
        parts = [f"{self.split}: {self.rows:,} rows of {self.source}", self._summary()]
        labels = getattr(self.scores, "per_label", ())
        if labels:
            parts.append(_per_label(labels, self.scores.counted))
        for name, signature in getattr(self.scores, "signatures", {}).items():
            parts.append(f"{name}: {signature}")
        if self.truncated.rows:
            parts.append(f"Truncation: {self.truncated}.")
        return as_text(*parts)

    def numbers(self) -> dict[str, float]:
        """Return the loss, and every score that is one number, by name."""
        return {"loss": self.loss, **self.scores.numbers()}

    def _summary(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
        table.add_column("")
        table.add_column("manyheads", justify="right")
        if self.baseline is not None:
            table.add_column(self.baseline_name, justify="right")
        other = self.baseline.numbers() if self.baseline is not None else {}
        for name, value in self.scores.numbers().items():
            cells = [name.replace("_", " "), readable(value)]
            if self.baseline is not None:
                cells.append(readable(other[name]) if name in other else "–")
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


def as_text(*parts: str | Table) -> str:
    """Return lines and tables one below the other, as they are printed."""
    # Labels are shown as they are, also where they look like rich's markup.
    console = Console(file=io.StringIO(), width=_WIDTH, highlight=False, markup=False, emoji=False)
    for part in parts:
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def _bounds(interval: Interval) -> str:
    return f"{readable(interval.low, 3)}–{readable(interval.high, 3)}"


def _per_label(labels: Sequence[LabelScores], counted: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("label", max_width=40, overflow="ellipsis", no_wrap=True)
    for name in ("precision", "recall", "F1", counted):
        table.add_column(name, justify="right")
    for one in labels:
        cells = (f"{value:.3f}" for value in (one.precision, one.recall, one.f1))
        table.add_row(one.label, *cells, f"{one.support:,}")
    return table


@dataclass(frozen=True)
class Running:
    """Applies work to a model's samples, and shows on a terminal how far it is."""

    task: Task
    model: nn.Module
    reporter: Reporter
    doing: str

    def __call__(self, work: Callable[[Any], Tensor], samples: Sequence[Any]) -> Tensor:
        """Return the rows of `work`, (N, …), in the order of the samples."""
        device = device_of(self.model)
        with self.watched(self.doing, len(samples)) as advance:
            return map_batches(work, self.task, samples, device=device, progress=advance)

    def ragged(
        self, work: Callable[[Any], Sequence[Tensor]], samples: Sequence[Any]
    ) -> list[Tensor]:
        """Return what `work` gives for each sample, of any length, in the order of the samples."""
        device = device_of(self.model)
        with self.watched(self.doing, len(samples)) as advance:
            return map_ragged(work, self.task, samples, device=device, progress=advance)

    def watched(self, doing: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Show a bar for other work; the block gets what is told of every finished number."""
        return self.reporter.rows(doing, total)


def evaluate_predictor(predictor: Any, split: Split, reporter: Reporter) -> Evaluation:
    """Score a saved predictor of any kind on a split; without training rows there is no baseline.

    Raises `DataError` where the split lacks what to compare with, or has labels that the predictor
    does not know.
    """
    return judge_predictor(predictor, split, reporter)[1]


def judge_predictor(
    predictor: Any, split: Split, reporter: Reporter
) -> tuple[Judgement, Evaluation]:
    """Judge a saved predictor as `evaluate_predictor` does; return what `analyse` takes, too."""
    split = as_known(predictor.task, split)
    samples = predictor.task.read(predictor.reader, split.columns, split.describe)
    return evaluate(
        predictor.task, predictor.model, predictor.reader, samples, split, reporter, "evaluating"
    )


def as_known(task: Task, split: Split) -> Split:
    """Return a split whose labels are spelled as the classes that a task tells apart."""
    tasks = task.tasks if isinstance(task, ManyHeads) else {"": task}
    classes = (OneLabel, MultiLabel)  # others have numbers, or labels of words
    known = {head: one.labels for head, one in tasks.items() if isinstance(one, classes)}
    return with_known_labels(split, known)


def evaluate(
    task: Task,
    model: nn.Module,
    reader: Any,
    samples: Sequence[Sample],
    split: Split,
    reporter: Reporter,
    doing: str,
) -> tuple[Judgement, Evaluation]:
    """Judge a model on a split that was read, and return the report without a baseline too."""
    run = Running(task, model, reporter, doing)
    judgement = task.judge(model.eval(), reader, samples, split.columns, run)
    return judgement, Evaluation(
        split=split.name,
        source=split.source,
        rows=len(split),
        scores=judgement.scores,
        truncated=Truncated.of([text for sample in samples for text in sample.texts]),
        loss=judgement.loss,
    )
