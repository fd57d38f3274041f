"""All that can be asked of a model, its task and its data, whether it has learnt or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from manyheads.data import Dataset, Split
from manyheads.errors import ConfigError
from manyheads.tasks import Judgement, Sample, Task
from manyheads.text import Cleaning
from manyheads.train.analysis.analysis import Analysis, analyse
from manyheads.train.analysis.hard_rows import HardRow, hardest_rows
from manyheads.train.analysis.label_errors import LabelError, find_label_errors
from manyheads.train.analysis.slices import ExtraColumns
from manyheads.train.history import History
from manyheads.train.progress import Reporter
from manyheads.train.recipe import Recipe
from manyheads.train.report.card import write_card
from manyheads.train.report.evaluation import Evaluation, Truncated, evaluate
from manyheads.train.report.page import write_page
from manyheads.train.report.run_report import (
    ModelFacts,
    RunReport,
    draw_history,
    inspect_data,
    suspect_labels,
)
from manyheads.train.trackers.tracker import Tracked


class Examined:
    """A model, its task and its data: what it scores, where it errs, and what is said of its run.

    `examples` are what the task has read of each split, `last_recipe` how the model was trained.
    """

    model: Any
    task: Task[Any]
    data: Dataset
    reader: Any
    examples: dict[str, Sequence[Sample]]
    cleaning: Cleaning
    recipe: Recipe
    last_recipe: Recipe
    history: History
    facts: ModelFacts
    reporter: Reporter
    tracked: Tracked

    def evaluate(self, split: str | None = None, *, baseline: bool = True) -> Evaluation:
        """Score the model on a split (test, else valid), with a baseline of its task beside it."""
        chosen = self.data.split(split)
        _, evaluation = self._judge(chosen, "evaluating")
        self.tracked.evaluation(chosen.name, evaluation.numbers())
        return self._with_baseline(evaluation, chosen) if baseline else evaluation

    def rehearse(self) -> None:
        """Raise now what `evaluate` would after a long run: `MissingExtra` for what it takes."""
        for split in self.data.splits():
            if split.name != "train":
                self.task.rehearsal(split.columns)

    def top_losses(self, n: int = 10, split: str | None = None) -> list[HardRow]:
        """Return the `n` rows that the model finds hardest, hardest first: often wrong labels.

        Raises `ConfigError` for n below 1.
        """
        if n < 1:
            raise ConfigError(f"n={n} shows nothing; choose at least 1")
        chosen = self.data.split(split)
        judgement, _ = self._judge(chosen, "looking for the top losses")
        return hardest_rows(judgement, chosen, n)

    def analyse(self, split: str | None = None, columns: ExtraColumns = ()) -> Analysis:
        """Say what goes wrong on a split: confusions, slices where the score is low, hardest rows.

        `columns` are further ones to slice by: names in the split's source, or, for a dataframe, a
        mapping from names to the values of each row. Raises `DataError` for those not there.
        """
        chosen = self.data.split(split)
        judgement, _ = self._judge(chosen, "analysing")
        return analyse(self.task, judgement, chosen, columns)

    def label_errors(self, n: int = 20, *, most_rows: int = 20_000) -> list[LabelError]:
        """Return up to `n` training rows whose label is probably wrong, the surest first.

        They are found by confident learning (Northcutt et al. 2021) over what a bag of words says
        of rows that it has not seen. Of more than `most_rows` rows, so many are drawn. Raises
        `RecipeError` for tasks without one label per row, `MissingExtra` without cleanlab.
        """
        task, train = self.task, self.data.train
        return find_label_errors(task, train, self.cleaning, most_rows, self.recipe.seed)[:n]

    def report(self, columns: ExtraColumns = ()) -> RunReport:
        """Return all that is to be said of the run; the held-out split is judged once for it."""
        held_out = self.data.test or self.data.valid
        evaluation = analysis = None
        if held_out is not None:
            judgement, alone = self._judge(held_out, "evaluating")
            self.tracked.evaluation(held_out.name, alone.numbers())
            evaluation = self._with_baseline(alone, held_out)
            analysis = analyse(self.task, judgement, held_out, columns)
        return RunReport(
            task=self.task,
            model=self.facts,
            data=self.data,
            cleaning=self.cleaning,
            recipe=self.last_recipe,
            history=self.history,
            truncated=self.truncated(),
            evaluation=evaluation,
            analysis=analysis,
            findings=inspect_data(self.data),
            suspects=suspect_labels(self.task, self.data.train, self.cleaning, self.recipe.seed),
        )

    def write_report(self, path: str | Path, columns: ExtraColumns = ()) -> Path:
        """Write what is to be said of the run as one page of HTML that needs nothing else."""
        return write_page(self.report(columns), Path(path))

    def write_card(self, folder: str | Path) -> Path | None:
        """Write a model card for the Hub as README.md; None where there is one of somebody else."""
        return write_card(self.report(), Path(folder))

    def draw_history(self, path: str | Path) -> Path:
        """Save the training curve as a picture."""
        draw_history(self.history, self.recipe.metric or self.task.metric, Path(path))
        return Path(path)

    def truncated(self) -> dict[str, Truncated]:
        """Return, by split, how many texts and tokens the maximum length cuts."""
        return {
            name: Truncated.of([text for sample in samples for text in sample.texts])
            for name, samples in self.examples.items()
        }

    def _judge(
        self, split: Split, doing: str, task: Task | None = None
    ) -> tuple[Judgement, Evaluation]:
        samples, task = self.examples[split.name], task or self.task
        return evaluate(task, self.model, self.reader, samples, split, self.reporter, doing)

    def _with_baseline(self, evaluation: Evaluation, split: Split) -> Evaluation:
        if split.name == "train":
            return evaluation
        beside = self.task.baseline(self.data.train.columns, split.columns, self.cleaning)
        if beside is None:
            return evaluation
        return replace(evaluation, baseline_name=beside[0], baseline=beside[1])
