"""One run from its first update to its last: epochs, validation, best weights, checkpoints.

A run is a function of its weights, data and recipe. All that it needs to go on is in
`TrainingState`, so a run that was killed and resumed ends with the same bits as one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn

from manyheads.errors import RecipeError
from manyheads.tasks import Minibatch, Noise, Sample, Trainable
from manyheads.tasks.task import device_of
from manyheads.train.average import Average, EpochAverage, WeightAverage
from manyheads.train.checkpoint import CheckpointStore
from manyheads.train.epochs import epochs_of
from manyheads.train.history import History, Validation
from manyheads.train.loop import Plan, Step, train
from manyheads.train.optim import build_optimizer, thaw
from manyheads.train.pace import Pace
from manyheads.train.portions import Portions
from manyheads.train.precision import choose_precision
from manyheads.train.progress import Reporter
from manyheads.train.recipe import Recipe
from manyheads.train.settings import Gradual, Steps
from manyheads.train.state import TrainingState, below
from manyheads.train.trackers.tracker import Tracked

_AVERAGE = "average."
_BEST = "best."

Weights = dict[str, Tensor]
Validate = Callable[[], Mapping[str, float]]


@dataclass
class Fitting:
    """A run over `examples`; `validate`, where given, scores the model after each epoch.

    `begin` is called before the first step of a run that is not resumed. `reader` is what the task
    has read the examples with, `tracked` is told what happens.
    """

    model: nn.Module
    task: Trainable
    examples: Sequence[Sample]
    recipe: Recipe
    validate: Validate | None = None
    store: CheckpointStore | None = None
    reporter: Reporter = field(default_factory=lambda: Reporter(quiet=True))
    describe: Callable[[int], str] = "example {}".format
    begin: Callable[[], None] = lambda: None
    reader: Any = None
    tracked: Tracked = field(default_factory=Tracked)
    validation_seconds: float = 0.0  # as expected before one was measured

    def __post_init__(self) -> None:
        self.epochs = epochs_of(self.task, self.examples, self.recipe)
        total = self.epochs.total_steps
        self.plan = Plan(self.recipe.schedule, total, self.recipe.warmup_steps(total))
        self.optimizer = build_optimizer(self.model, self.recipe)
        self.precision = choose_precision(self.recipe.precision, device_of(self.model))
        self.scaler = self.precision.scaler()
        self.portions = Portions(self.task, self.reader, self.describe, self.reporter.say)
        self.metric = self.recipe.metric or self.task.metric
        self.history = History()
        self.best: Weights = {}
        self.average: Average | None = None
        self._saved_at = time.monotonic()

    def run(self, resume: bool = False) -> History:
        """Train to the end, leave the best weights in the model, and return what happened.

        With `resume` the newest checkpoint is the beginning, where there is one.
        """
        self._begin(resume)
        done = len(self.history.steps)
        self.pace.begin(done, len(self.history.validations))
        with (
            self.tracked.training(self.history),
            self.reporter.steps(self.epochs.total_steps, done) as show,
        ):
            for epoch in range(len(self.epochs.starts) - 1):
                if len(self.history.validations) > epoch or self._finished(epoch):
                    continue
                self._epoch(epoch, show)
                if self.validate is not None:
                    self._validate(epoch)
                else:
                    self.reporter.epoch(epoch + 1, self._mean_loss(epoch))
                if self._should_stop():
                    self.reporter.say(f"stopped early after epoch {epoch + 1}")
                    break
        if self.best:
            self.model.load_state_dict(self.best)
        elif self.average is not None:
            self.average.keep()
        self.model.eval()
        return self.history

    def _begin(self, resume: bool) -> None:
        state = self.store.latest() if self.store and resume else None
        if self.store and state is None:
            self.store.clear()
        if state is None:
            self.begin()
        if self.recipe.average is not None:
            self.average = WeightAverage(self.model, self.recipe.average)
        elif self.recipe.average_last is not None:
            self.average = EpochAverage(self.model, self.recipe.average_last)
        torch.manual_seed(self.recipe.seed)
        if state is not None:
            self._restore(state)

    def _finished(self, epoch: int) -> bool:
        """Whether an epoch lies behind, in a run without validation."""
        done = len(self.history.steps)
        return self.validate is None and done >= self.epochs.starts[epoch + 1]

    def _epoch(self, epoch: int, show: Callable[[Step, float], None]) -> None:
        if isinstance(self.recipe.adapt, Gradual):
            thaw(self.model, self.optimizer, epoch)
        first = len(self.history.steps)
        last = min(self.epochs.starts[epoch + 1], self.epochs.total_steps)
        for step in train(
            self.model,
            self.task,
            self._batches(epoch, first, last),
            self.optimizer,
            self.plan.set,
            precision=self.precision,
            scaler=self.scaler,
            clip_norm=self.recipe.clip_norm,
            first_step=first,
            describe=self.describe,
            smaller=self.portions.smaller,
        ):
            self.history.steps.append(step)
            if self.average is not None:
                self.average.update(step.number, ends_epoch=step.number == last)
            self.pace.end_update()
            show(step, self.pace.left)
            self.tracked.step(step)
            self._save_when_due(step.number)

    def first_batches(self, steps: int) -> Iterator[list[Minibatch]]:
        """Yield the batches of the first updates, epoch after epoch, however many there are."""
        for epoch in count():
            updates = self.epochs.updates(epoch)[:steps]
            yield from self._drawn(epoch, self.epochs.samples(updates))
            steps -= len(updates)
            if steps <= 0:
                return

    def _batches(self, epoch: int, first: int, last: int) -> Iterator[list[Minibatch]]:
        offset = self.epochs.starts[epoch]
        updates = self.epochs.updates(epoch)[first - offset : last - offset]
        return self._drawn(epoch, self.epochs.samples(updates))

    def _drawn(
        self, epoch: int, updates: Iterable[list[list[Sample]]]
    ) -> Iterator[list[Minibatch]]:
        recipe = self.recipe
        noise = Noise(recipe.token_dropout, recipe.subword_dropout, recipe.seed, epoch)
        for group in updates:
            yield self.portions.draw(group, noise)

    def _mean_loss(self, epoch: int) -> float:
        steps = self.history.steps[self.epochs.starts[epoch] :]
        return sum(step.loss * step.examples for step in steps) / sum(s.examples for s in steps)

    def _validate(self, epoch: int) -> None:
        assert self.validate is not None
        with self.average.in_place() if self.average else nullcontext():
            self._keep_if_best(epoch, self.validate())
        self.pace.end_validation()

    def _keep_if_best(self, epoch: int, scores: Mapping[str, float]) -> None:
        if self.metric not in scores:
            raise RecipeError(
                f"metric={self.metric!r} is no score of this task; choose one of "
                f"{', '.join(scores)}"
            )
        self._say_what_is_undefined(scores)
        validation = Validation(len(self.history.steps), scores)
        self.history.validations.append(validation)
        self.tracked.validation(validation)
        is_best = self.history.best(self.metric) == epoch
        if is_best:
            self.best = {n: t.detach().clone() for n, t in self.model.state_dict().items()}
        self.reporter.validation(epoch + 1, scores, is_best)

    def _say_what_is_undefined(self, scores: Mapping[str, float]) -> None:
        """Say once that what chooses is no number: a correlation, where all values are alike."""
        before = self.history.values(self.metric)[-1:]
        if math.isnan(scores[self.metric]) and not any(map(math.isnan, before)):
            self.reporter.say(
                f"{self.metric} is undefined on the validation split, where all values or all "
                "predictions are alike; the loss chooses"
            )

    def _should_stop(self) -> bool:
        rule = self.recipe.early_stopping
        if rule is None or self.validate is None:
            return False
        metric = rule.metric or self.metric
        return rule.should_stop(metric, self.history.values(metric))

    def _save_when_due(self, step: int) -> None:
        every = self.recipe.checkpoint_every
        if isinstance(every, Steps):
            due = every.steps > 0 and step % every.steps == 0
        else:
            due = time.monotonic() - self._saved_at >= every.seconds
        if self.store and due:
            self.store.save(self._capture(step))
            self._saved_at = time.monotonic()

    def _capture(self, step: int) -> TrainingState:
        facts = {
            "history": self.history.to_json(),
            "recipe": self.recipe.to_json(),
            "data": self._data,
            "portion": self.portions.tokens,
        }
        state = TrainingState.capture(step, self.model, self.optimizer, facts, self.scaler)
        average = self.average.tensors() if self.average else {}
        kept = _named(_BEST, self.best) | _named(_AVERAGE, average)
        return replace(state, tensors=state.tensors | kept)

    def _restore(self, state: TrainingState) -> None:
        """Go on from a checkpoint; raises `RecipeError` for one of another recipe or other data."""
        saved, mine = state.facts["recipe"], self.recipe.to_json()
        changed = [f"{k}: {saved.get(k)!r} → {mine[k]!r}" for k in mine if saved.get(k) != mine[k]]
        if changed:
            raise RecipeError(
                f"the run to resume was begun with another recipe ({'; '.join(changed)}); resume "
                "with the same one, or begin anew without resume"
            )
        if state.facts.get("data") != self._data:
            raise RecipeError(
                "the run to resume was begun with other data; resume with the same rows, split and "
                "tokenizer, or begin anew without resume"
            )
        state.restore(self.model, self.optimizer, self.scaler)
        self.history = History.from_json(state.facts["history"])
        self.portions.tokens = state.facts.get("portion")
        self.best = below(_BEST, state.tensors)
        if self.average is not None:
            self.average.restore(below(_AVERAGE, state.tensors))
        self.reporter.say(f"resumed after step {state.step} of {self.epochs.total_steps}")

    @cached_property
    def pace(self) -> Pace:
        """The clock of the run."""
        validations = 0 if self.validate is None else math.ceil(self.recipe.epochs)
        return Pace(self.epochs.total_steps, validations, self.validation_seconds)

    @cached_property
    def _data(self) -> int:
        """A checksum of what the run learns from, in its order."""
        checksum = self.epochs.digest
        for example in self.examples:
            checksum = example.digest(checksum)
        return checksum


def _named(prefix: str, tensors: Mapping[str, Tensor]) -> Weights:
    return {prefix + name: tensor for name, tensor in tensors.items()}
