"""Learner: a model, a task, data and a recipe, and what one does with them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from manyheads.core.attention import Attend
from manyheads.core.dropout import Dropout
from manyheads.data import Dataset, Split
from manyheads.data.scan import has_surrogates
from manyheads.errors import DataError, RecipeError
from manyheads.hub import Pretrained, load_model
from manyheads.hub.mean_block import append_mean_block
from manyheads.hub.scratch import Scratch
from manyheads.predict import Predictor, longest_input, run
from manyheads.tasks import Example, Reader, Task, TaskModel
from manyheads.text import Cleaning
from manyheads.train.checkpoint import CheckpointStore
from manyheads.train.early_stopping import EarlyStopping
from manyheads.train.fitting import Fitting
from manyheads.train.history import History
from manyheads.train.lr_finder import LearningRates, range_test
from manyheads.train.plots import draw_training_curve
from manyheads.train.progress import Reporter
from manyheads.train.recipe import Recipe
from manyheads.train.report import Evaluation, Truncated, baseline_scores
from manyheads.train.schedule import Constant, OneCycle

_USUAL_TOKENS = 256
_AUTOFIT_EPOCHS = 20
_AUTOFIT_PATIENCE = 3


@dataclass(frozen=True)
class Loss:
    """One row and what the model makes of it, for looking at the worst ones."""

    loss: float
    where: str
    text: str
    label: Any
    prediction: Any

    def __str__(self) -> str:
        text = self.text if len(self.text) <= 120 else f"{self.text[:119]}…"
        return f"{self.loss:8.4f}  {self.where}  {self.label} → {self.prediction}  {text!r}"


class Learner:
    """Trains `model` for `task` on `data` as `recipe` says.

    `model` is a reference (folder, `package:NAME/PATH`, Hub id), an opened model, or `Scratch`.
    `cleaning` is applied to every text, in training and in the predictor alike. With `folder`, the
    run keeps checkpoints there and can be resumed.

    Raises `DataError` for labels that the task cannot learn, and what opening the model raises.
    """

    def __init__(
        self,
        model: str | Path | Pretrained | Scratch,
        task: Task,
        data: Dataset,
        recipe: Recipe | None = None,
        *,
        cleaning: Cleaning | None = None,
        folder: str | Path | None = None,
        device: torch.device | str | None = None,
        quiet: bool = False,
    ) -> None:
        self.data = data
        self.recipe = recipe or Recipe()
        self.folder = None if folder is None else Path(folder)
        if isinstance(model, Scratch):
            # The features of an untrained body are not worth reading.
            self.recipe = _changed(self.recipe, {"probe_examples": 0})
        self.reporter = Reporter(quiet)
        self.history = History()
        if self.recipe.threads is not None:
            torch.set_num_threads(self.recipe.threads)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        # Everything that may be wrong with the data is said before a model is opened.
        self.task = _fit_task(task, data)
        targets = {split.name: _targets(self.task, split) for split in data.splits()}
        cleaning = cleaning or Cleaning()
        _refuse_broken_texts(data, cleaning)
        self.pretrained = _open(model, data.train, cleaning, self.recipe)
        self.reader = Reader(
            self.pretrained.require_tokenizer(), cleaning, _truncation(self.pretrained, self.recipe)
        )
        self.examples = {
            split.name: _read(self.reader, split, targets[split.name]) for split in data.splits()
        }
        head = self.task.head(self.pretrained, seed=self.recipe.seed)
        self._fresh_head = not self.task.is_answered_by(self.pretrained)
        self.model = TaskModel(self.pretrained.transformer, head).to(device)
        if self.recipe.dropout is not None:
            _set_dropout(self.model, self.recipe.dropout)

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
        return self._fit(_changed(self.recipe, given), resume)

    def fit_onecycle(
        self, epochs: float | None = None, learning_rate: float | None = None
    ) -> History:
        """Train under the one-cycle policy (Smith 2018)."""
        given = {"epochs": epochs, "learning_rate": learning_rate, "schedule": OneCycle()}
        return self._fit(_changed(self.recipe, given), resume=False)

    def autofit(self, learning_rate: float | None = None, epochs: float | None = None) -> History:
        """Train without being told how long or how fast.

        Without `learning_rate`, a range test finds one. Without `epochs`, training goes on at a
        constant rate until three validations in a row bring nothing.
        """
        rate = learning_rate or self.find_lr().suggestion
        if epochs is not None:
            return self.fit_onecycle(epochs, rate)
        if self.data.valid is None:
            raise RecipeError("autofit needs a validation split to know when to stop; give epochs")
        stopping = self.recipe.early_stopping or EarlyStopping(patience=_AUTOFIT_PATIENCE)
        given = {
            "epochs": _AUTOFIT_EPOCHS,
            "learning_rate": rate,
            "schedule": Constant(),
            "early_stopping": stopping,
        }
        return self._fit(_changed(self.recipe, given), resume=False)

    def find_lr(self, steps: int = 100) -> LearningRates:
        """Run a learning-rate range test; the model stays as it was."""
        if steps < 20:
            raise RecipeError(f"steps={steps} is too few for a range test; choose at least 20")
        return range_test(
            Fitting(self.model, self.task, self.examples["train"], self.recipe), steps
        )

    def evaluate(self, split: str | None = None, *, baseline: bool = True) -> Evaluation:
        """Score the model on a split (test, else valid), with a bag-of-words baseline beside it."""
        chosen = self._split(split)
        outputs = self._outputs(chosen.name, "evaluating")
        scores = self.task.score(chosen.columns["label"], outputs)
        beside = None
        if baseline and chosen.name != "train":
            beside = baseline_scores(
                self.task, self._cleaned(self.data.train), self._cleaned(chosen)
            )
        return Evaluation(
            split=chosen.name,
            source=chosen.source,
            scores=scores,
            baseline=beside,
            truncated=_truncated(self.examples[chosen.name]),
            loss=float(self._losses(chosen.name, outputs).mean()),
        )

    def top_losses(self, n: int = 10, split: str | None = None) -> list[Loss]:
        """Return the `n` rows that the model finds hardest, hardest first: often wrong labels."""
        chosen = self._split(split)
        outputs = self._outputs(chosen.name, "looking for the top losses")
        losses = self._losses(chosen.name, outputs).tolist()
        predictions = self.task.predict(outputs)
        order = sorted(range(len(losses)), key=losses.__getitem__, reverse=True)[:n]
        texts, labels = chosen.columns["text"], chosen.columns["label"]
        return [
            Loss(losses[i], chosen.describe(i), texts[i], labels[i], predictions[i]) for i in order
        ]

    def predictor(self) -> Predictor:
        """Return the model with its task, ready to be called and saved; it is a copy."""
        model = copy.deepcopy(self.model).eval()
        task = self.task.folded(model.head)
        return Predictor(model, task, self.reader, self.pretrained)

    def draw_history(self, path: str | Path) -> Path:
        """Save the training curve as a picture."""
        metric = self.recipe.metric or self.task.metric
        validations = [(one.step, one.scores[metric]) for one in self.history.validations]
        losses = [step.loss for step in self.history.steps]
        draw_training_curve(losses, validations, metric, path)
        return Path(path)

    def clear_checkpoints(self) -> None:
        """Delete the checkpoints in `folder`; what was trained is not touched."""
        if (store := self._store()) is not None:
            store.clear()

    def truncated(self) -> dict[str, Truncated]:
        """Return, by split, how many texts and tokens the maximum length cuts."""
        return {name: _truncated(examples) for name, examples in self.examples.items()}

    def _fit(self, recipe: Recipe, resume: bool) -> History:
        if resume and self.folder is None:
            raise RecipeError("there is nothing to resume without a folder; give Learner a folder")
        self._check_metrics(recipe)
        for name, cut in self.truncated().items():
            self.reporter.say(f"{name:<5}  {cut}")
        fitting = Fitting(
            self.model,
            self.task,
            self.examples["train"],
            recipe,
            validate=self._validate if self.data.valid is not None else None,
            store=self._store(),
            reporter=self.reporter,
            describe=self.data.train.describe,
            fresh_head=self._fresh_head,
        )
        try:
            fitting.run(resume)
        finally:  # what was learnt before an interruption is kept too
            self.history = fitting.history
            self._fresh_head &= not fitting.history.steps
        return self.history

    def _check_metrics(self, recipe: Recipe) -> None:
        """Raise `RecipeError` for a metric that no validation will bring, before any training."""
        stopping = recipe.early_stopping
        asked = [recipe.metric, None if stopping is None else stopping.metric]
        if self.data.valid is None or not any(asked):
            return
        labels = self.data.valid.columns["label"]
        noise = torch.Generator().manual_seed(0)
        outputs = torch.randn(len(labels), self.model.head.out.out_features, generator=noise)
        scores = self.task.score(labels, outputs)
        for metric in asked:
            if metric is not None and metric != "loss":
                scores.value(metric)

    def _store(self) -> CheckpointStore | None:
        if self.folder is None:
            return None
        return CheckpointStore(self.folder / "checkpoints", self.recipe.keep_checkpoints)

    def _validate(self) -> dict[str, float]:
        assert self.data.valid is not None
        outputs = self._outputs("valid", "validating")
        scores = self.task.score(self.data.valid.columns["label"], outputs)
        return {"loss": float(self._losses("valid", outputs).mean()), **scores.numbers()}

    def _outputs(self, name: str, doing: str) -> Tensor:
        examples = self.examples[name]
        self.model.eval()
        with self.reporter.rows(doing, len(examples)) as advance:
            return run(self.model, self.task, examples, progress=advance)

    def _losses(self, name: str, outputs: Tensor) -> Tensor:
        targets = torch.tensor([example.target for example in self.examples[name]])
        return self.task.losses(outputs, targets)[0]

    def _split(self, name: str | None) -> Split:
        splits = {split.name: split for split in self.data.splits()}
        if name is None:
            name = next((one for one in ("test", "valid") if one in splits), None)
            if name is None:
                raise DataError(
                    "there is no test or validation split; read the data with valid=0.1"
                )
        if name not in splits:
            raise DataError(f"there is no split {name!r}; there is {', '.join(splits)}")
        return splits[name]

    def _cleaned(self, split: Split) -> dict[str, list[Any]]:
        """Return a split's columns with the texts as the model sees them."""
        clean = self.reader.cleaning
        return {
            role: values if role == "label" else [clean(text) for text in values]
            for role, values in split.columns.items()
        }


def _fit_task(task: Task, data: Dataset) -> Task:
    for split in data.splits():
        if "label" not in split.columns:
            raise DataError(f"{split.source} has no label column; read it with label='…'")
    return task.fit_to(data.train.columns, data.train.describe)


def _targets(task: Task, split: Split) -> list[Any]:
    return task.targets(split.columns["label"], split.describe)


def _refuse_broken_texts(data: Dataset, cleaning: Cleaning) -> None:
    """Raise `DataError` naming the first row whose text no tokenizer can take."""
    if cleaning.surrogates:
        return
    for split in data.splits():
        for role in split.columns.keys() & {"text", "pair"}:
            for row, text in enumerate(split.columns[role]):
                if has_surrogates(text):
                    raise DataError(
                        f"{split.describe(row)}: the {role} holds a lone surrogate, which is no "
                        "character; clean it with Cleaning(surrogates=True) (--clean surrogates)"
                    )


def _open(
    model: str | Path | Pretrained | Scratch, train: Split, cleaning: Cleaning, recipe: Recipe
) -> Pretrained:
    if isinstance(model, Pretrained):
        return append_mean_block(replace(model, transformer=copy.deepcopy(model.transformer)))
    if isinstance(model, Scratch):
        texts = [*train.columns["text"], *train.columns.get("pair", ())]
        return model.build([cleaning(text) for text in texts], seed=recipe.seed)
    return append_mean_block(load_model(model))


def _truncation(pretrained: Pretrained, recipe: Recipe) -> Any:
    limit = longest_input(pretrained)
    if recipe.max_tokens is not None and recipe.max_tokens > limit:
        raise RecipeError(
            f"max_tokens={recipe.max_tokens} exceeds the {limit} tokens that this model can read; "
            f"choose at most {limit}"
        )
    return recipe.truncation.within(recipe.max_tokens or min(limit, _USUAL_TOKENS))


def _read(reader: Reader, split: Split, targets: Sequence[Any]) -> list[Example]:
    encoded = reader.read(split.columns["text"], split.columns.get("pair"))
    return [
        Example(row, one, target)
        for row, (one, target) in enumerate(zip(encoded, targets, strict=True))
    ]


def _truncated(examples: Sequence[Example]) -> Truncated:
    return Truncated.of([example.encoded for example in examples])


def _changed(recipe: Recipe, given: dict[str, Any]) -> Recipe:
    """Return the recipe with the settings that are not None; raises `RecipeError`."""
    return Recipe(**{**dict(recipe), **{k: v for k, v in given.items() if v is not None}})


def _set_dropout(model: TaskModel, probability: float) -> None:
    for module in model.modules():
        if isinstance(module, Dropout):
            module.p = probability
        elif isinstance(module, Attend):
            module.dropout = probability
