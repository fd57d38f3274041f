"""The same recipe several times: on other rows each time, or from other seeds.

What is left is one folder, with an ordinary predictor's folder in it for each run:

DIR/report.html                   how much the runs differ, and which labels they doubt
DIR/fold-1/…, DIR/seed-0/…        a predictor, with a page of its own
DIR/fold-1/run/checkpoints/       while it is trained
DIR/fold-1/run/trial.json         its scores: the run is over when they are there
DIR/fold-1/run/history.json, out-of-fold.jsonl
DIR/manyheads.json                the ensemble of them all, where there is one
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from manyheads.data import Dataset, Split
from manyheads.data.folds import cross_folds, pool
from manyheads.errors import DataError, RecipeError
from manyheads.hub import Pretrained
from manyheads.hub.atomic import write_atomically
from manyheads.hub.scratch import Blueprint
from manyheads.predict import (
    MANIFEST,
    ensemble,
    load,
)
from manyheads.tasks import Averageable, MultiLabel, OneLabel, Reranking, Tagging, Task
from manyheads.tasks.reader import cleaned
from manyheads.text import Cleaning
from manyheads.train.learner import Learner
from manyheads.train.progress import Reporter
from manyheads.train.recipe import Recipe, changed
from manyheads.train.repeats.facts import Model, model_fact, require_same
from manyheads.train.repeats.out_of_fold import RECORDS, answered, gather, json_bytes, write_records
from manyheads.train.repeats.page import write_trials_page
from manyheads.train.repeats.trials import Trial, Trials
from manyheads.train.report.evaluation import evaluate, evaluate_predictor
from manyheads.train.report.files import PAGE, write_report
from manyheads.train.trackers.tracker import Tracker

RUN, TRIAL = "run", "trial.json"


def cross_validate(
    model: Model,
    task: Task,
    data: Dataset,
    recipe: Recipe | None = None,
    *,
    folds: int = 5,
    cleaning: Cleaning | None = None,
    folder: str | Path | None = None,
    device: torch.device | str | None = None,
    quiet: bool = False,
    resume: bool = False,
    trackers: Sequence[Tracker] = (),
) -> Trials:
    """Train once for each fold, on all others, and judge each model by the rows of its fold.

    Training and validation rows of `data` are dealt out (see `cross_folds`); the test split is in
    no fold, and judges every model and their ensemble. All models know the labels of all rows; one
    from scratch has the tokenizer of all rows. With `folder`, all is kept, and `resume` goes on in
    the fold where a run was stopped. Otherwise as `Learner`. Raises `DataError` for folds that are
    too few or too many, `RecipeError` for a run that was begun otherwise.
    """
    recipe, cleaning = recipe or Recipe(), cleaning or Cleaning()
    if not isinstance(data, Dataset):
        raise DataError("cross-validation deals out the rows of one data set; give one, not many")
    rows = pool(data)
    together = "text" if isinstance(task, Reranking) else None
    classes = isinstance(task, OneLabel)
    sets = cross_folds(data, folds, recipe.seed, every_class=classes, together=together)
    knowing = _knowing(task, rows)
    if isinstance(model, Blueprint):
        model = _SameTokenizer(model, task.corpus(cleaned(rows.columns, cleaning)))
    series = _Series(model, knowing, data.test, cleaning, device, quiet, tuple(trackers))
    plan = [_Planned(f"fold-{number}", part, recipe) for number, part in enumerate(sets, 1)]
    title = f"{folds} folds of {len(rows):,} rows of {rows.source}: each is judged by other rows"
    return series.run(plan, title, folder, resume)


def repeat_seeds(
    model: Model,
    task: Task,
    data: Dataset,
    recipe: Recipe | None = None,
    *,
    seeds: int = 3,
    cleaning: Cleaning | None = None,
    folder: str | Path | None = None,
    device: torch.device | str | None = None,
    quiet: bool = False,
    resume: bool = False,
    trackers: Sequence[Tracker] = (),
) -> Trials:
    """Train from several seeds, the recipe's and those after it, and judge on the held-out split.

    That is the test split, else the validation split. Otherwise as `cross_validate`. Raises
    `RecipeError` for fewer than two seeds, `DataError` without a split to judge on.
    """
    if seeds < 2:
        raise RecipeError(f"seeds={seeds} says nothing of how much chance does; choose at least 2")
    if (common := data.test or data.valid) is None:
        raise DataError("there is no test or validation split; read the data with valid=0.1")
    recipe = recipe or Recipe()
    usual = cleaning or Cleaning()
    series = _Series(model, task, common, usual, device, quiet, tuple(trackers))
    plan = [
        _Planned(f"seed-{seed}", data, changed(recipe, {"seed": seed}), is_fold=False)
        for seed in range(recipe.seed, recipe.seed + seeds)
    ]
    title = f"{seeds} seeds of {len(data.train):,} rows of {data.train.source}"
    return series.run(plan, title, folder, resume)


@dataclass(frozen=True)
class _Planned:
    """A run that is to be: on these rows, by this recipe."""

    name: str
    data: Dataset
    recipe: Recipe
    is_fold: bool = True


@dataclass(frozen=True)
class _SameTokenizer:
    """A blueprint that learns its tokenizer from the same texts for every fold."""

    blueprint: Blueprint
    columns: Mapping[str, Sequence[Any]]

    def build_for(self, columns: Mapping[str, Sequence[Any]], seed: int = 0) -> Pretrained:
        """Build the model for the texts that it has, whatever those of the fold are."""
        return self.blueprint.build_for(self.columns, seed)


@dataclass(frozen=True)
class _Series:
    """What the runs share; `common` is the split that judges them all, and their ensemble."""

    model: Model
    task: Task
    common: Split | None
    cleaning: Cleaning
    device: torch.device | str | None
    quiet: bool
    trackers: tuple[Tracker, ...]

    def run(
        self, plan: Sequence[_Planned], title: str, folder: str | Path | None, resume: bool
    ) -> Trials:
        """Do what is planned, in `folder` or in one that is gone afterwards."""
        if folder is not None:
            return self._run(plan, title, Path(folder), resume)
        if resume:
            raise RecipeError("there is nothing to resume without a folder; give the run's folder")
        with tempfile.TemporaryDirectory() as temporary:
            return self._run(plan, title, Path(temporary), resume)

    def _run(self, plan: Sequence[_Planned], title: str, home: Path, resume: bool) -> Trials:
        if not resume:
            _clear(home)
        reporter = Reporter(self.quiet)
        trials = []
        for planned in plan:
            trial = self._finished(planned, home / planned.name)
            if trial is None:
                reporter.say(f"{planned.name}: {len(planned.data.train):,} rows to learn from")
                trial = self._train(planned, home / planned.name, resume)
            trials.append(trial)
        records = gather([home / planned.name / RUN for planned in plan], home)
        found = Trials(
            title=title,
            metric=plan[0].recipe.metric or self.task.metric,
            trials=tuple(trials),
            out_of_fold=tuple(records),
            common="" if self.common is None else _named(self.common),
        )
        found = self._together(found, home, reporter)
        write_trials_page(found, home / PAGE)
        return found

    def _train(self, planned: _Planned, home: Path, resume: bool) -> Trial:
        """Train, judge and save one run; its scores are written last."""
        learner = Learner(
            self.model,
            self.task,
            planned.data,
            planned.recipe,
            cleaning=self.cleaning,
            folder=home / RUN,
            device=self.device,
            quiet=self.quiet,
            trackers=self.trackers,
        )
        learner.rehearse()
        learner.fit(resume=resume)
        predictor = learner.predictor()
        predictor.save(home)
        report = learner.report()
        write_report(report, home, learner.reporter.say)
        assert report.evaluation is not None, "every run has rows that judge it"
        held_out = report.evaluation.numbers()
        fold = planned.data.test if planned.is_fold else None
        trial = Trial(
            name=planned.name,
            rows=len(planned.data.train),
            fold=None if fold is None else held_out,
            common=self._common_scores(learner) if fold is not None else held_out,
        )
        (home / RUN).mkdir(exist_ok=True)
        if fold is not None:
            write_records(home / RUN, answered(predictor, fold, planned.name))
        write_atomically(home / RUN / "history.json", json_bytes(learner.history.to_json()))
        document = {"facts": self._facts(planned), **asdict(trial)}
        write_atomically(home / RUN / TRIAL, json_bytes(document))
        _clear_checkpoints(home)
        return trial

    def _common_scores(self, learner: Learner) -> dict[str, float] | None:
        """Return what a model that was judged by its fold reaches on the common split."""
        if (split := self.common) is None:
            return None
        samples = learner.task.read(learner.reader, split.columns, split.describe)
        parts = (learner.task, learner.model, learner.reader, samples, split, learner.reporter)
        return evaluate(*parts, "evaluating")[1].numbers()

    def _finished(self, planned: _Planned, home: Path) -> Trial | None:
        """Return a run that is over, None for one that is not; raises `RecipeError`."""
        path = home / RUN / TRIAL
        if not path.is_file():
            return None
        saved = json.loads(path.read_text(encoding="utf-8"))
        require_same(saved.pop("facts"), json.loads(json_bytes(self._facts(planned))), home)
        _clear_checkpoints(home)
        return Trial(**saved)

    def _facts(self, planned: _Planned) -> dict[str, Any]:
        """Return, as JSON values, what another run must share to be the same one."""
        model = self.model
        return {
            "recipe": planned.recipe.to_json(),
            "task": repr(self.task),
            "model": model_fact(model.blueprint if isinstance(model, _SameTokenizer) else model),
            "cleaning": self.cleaning.to_json(),
            "data set": planned.data.fingerprint(),
            "common split": None if self.common is None else self.common.fingerprint(),
        }

    def _together(self, found: Trials, home: Path, reporter: Reporter) -> Trials:
        """Return the runs with the ensemble of them, saved around them, and its scores."""
        if not isinstance(self.task, Averageable):
            why = f"what models for {self.task.name} say has no mean"
            return replace(found, why_no_ensemble=why)
        names = [trial.name for trial in found.trials]
        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        together = ensemble([load(home / name, device=device) for name in names])
        together.save_around(home, names)
        scores = None
        if self.common is not None:
            scores = evaluate_predictor(together, self.common, reporter).numbers()
        return replace(found, ensemble=together, ensemble_scores=scores)


def _clear_checkpoints(home: Path) -> None:
    """Delete what a run that is over needs no more."""
    shutil.rmtree(home / RUN / "checkpoints", ignore_errors=True)


def _clear(home: Path) -> None:
    """Delete the runs in a folder, and what said that they belong together."""
    for run in home.glob(f"*/{RUN}"):
        if re.fullmatch(r"(fold|seed)-\d+", run.parent.name):
            shutil.rmtree(run.parent)
    for name in (MANIFEST, RECORDS, PAGE):
        (home / name).unlink(missing_ok=True)


def _knowing(task: Task, rows: Split) -> Task:
    """Return the task with the labels of all rows, so that every model answers with the same."""
    fitted: Any = task.fit_to(rows.columns, rows.describe)
    if isinstance(task, OneLabel | MultiLabel | Tagging):
        return replace(task, labels=fitted.labels)
    return task


def _named(split: Split) -> str:
    return f"{split.name}: {len(split):,} rows of {split.source}"
