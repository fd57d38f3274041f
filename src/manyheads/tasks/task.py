"""A task says WHAT is learned; `manyheads.train` says how.

    columns ── fit_to ─→ a task that knows its data
    model   ── prepared, model_of ─→ what is trained
    columns ── reader, read ─→ samples ── collate, draw ─→ minibatch ── loss
                                       └─ judge ─→ loss and scores

`Trainable` is all that a training loop knows of a task, `Task` all that a `Learner` knows. A task
that decides by a rule, such as a threshold, may be `Tunable` besides; one whose body learns
something else than its head answers is `TwoStage`, one that compares samples with each other is
`Joint`, and one whose loss tells how sure it is, besides how right, is `Tempered`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn

from manyheads.errors import RecipeError
from manyheads.hub import Pretrained
from manyheads.tasks.labels import Describe
from manyheads.tasks.metrics import Scores
from manyheads.text import Cleaning, Encoded, Truncation

Columns = Mapping[str, Sequence[Any]]
USUAL_TOKENS = 256


class Sample(Protocol):
    """One thing to learn from."""

    @property
    def row(self) -> int:
        """The row of the split that it comes from."""

    @property
    def tokens(self) -> int:
        """How many tokens it adds to a batch."""

    @property
    def texts(self) -> tuple[Encoded, ...]:
        """The texts that were read for it, which say how much of them was cut."""

    def digest(self, seed: int) -> int:
        """Return a checksum of all that is learnt from it, going on from `seed`."""


class Minibatch(Protocol):
    """Samples laid end to end."""

    @property
    def rows(self) -> tuple[int, ...]:
        """The row of each sample."""

    @property
    def tokens(self) -> int:
        """T, the tokens of all its sequences."""

    def __len__(self) -> int: ...

    def to(self, device: torch.device) -> Minibatch:
        """Return the batch on another device."""


@dataclass(frozen=True)
class Loss:
    """A sum over what is learnt and the weight to divide by, so that sums of batches average
    rightly: examples, or tokens.
    """

    total: Tensor
    weight: float

    @property
    def mean(self) -> Tensor:
        """The loss of an average example, or token."""
        return self.total / self.weight


@dataclass(frozen=True)
class Judgement:
    """How good a model is on a split: its loss, its scores, and the losses of its parts.

    A part is a row or a piece of one; `rows` says which row it begins in, and `prediction` what the
    model makes of it, by its number. So does `expected` of what it should, where the row's columns
    do not show that as clearly.
    """

    loss: float
    scores: Scores
    rows: Sequence[int]
    losses: Sequence[float]
    prediction: Callable[[int], Any]
    expected: Callable[[int], Any] | None = None


class Run(Protocol):
    """Applies work to batches of samples, without gradients."""

    def __call__(self, work: Callable[[Any], Tensor], samples: Sequence[Any]) -> Tensor:
        """Return the rows of `work`, (N, …), in the order of the samples."""

    def ragged(
        self, work: Callable[[Any], Sequence[Tensor]], samples: Sequence[Any]
    ) -> list[Tensor]:
        """Return what `work` gives for each sample, of any length, in the order of the samples."""

    def watched(self, doing: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Show how other work goes on; the block gets what is told of every finished number."""


@dataclass(frozen=True)
class Reading:
    """How texts become tokens: how they are cleaned, and what stays of those that are too long.

    `keep` makes the policy for a number of tokens; without a maximum, a text may have as many as
    the model can read, but not more than is usual. `paired` says that each text has a second one.
    """

    cleaning: Cleaning
    keep: Callable[[int], Truncation]
    max_tokens: int | None = None
    max_target_tokens: int | None = None
    paired: bool = False

    def truncation(self, limit: int) -> Truncation:
        """Return the policy for a text that a model reads."""
        return self.keep(within("max_tokens", self.max_tokens, limit))

    def target_tokens(self, limit: int) -> int:
        """Return how many tokens a text that a model writes may have."""
        if self.max_target_tokens is None:
            return within("max_tokens", self.max_tokens, limit)
        return within("max_target_tokens", self.max_target_tokens, limit)


def within(name: str, wanted: int | None, limit: int) -> int:
    """Return the wanted number of tokens, or the usual one; raises `RecipeError` above a limit."""
    if wanted is not None and wanted > limit:
        raise RecipeError(
            f"{name}={wanted} exceeds the {limit} tokens that this model can read; "
            f"choose at most {limit}"
        )
    return wanted or min(limit, USUAL_TOKENS)


@dataclass(frozen=True)
class Noise:
    """What is random in how training reads a sample, as shares: of the tokens left out, and of the
    merges that a byte-pair tokenizer leaves out. What is the same for a whole epoch follows from
    `seed` and `epoch`.
    """

    tokens: float = 0.0
    subwords: float = 0.0
    seed: int = 0
    epoch: int = 0


def device_of(model: nn.Module) -> torch.device:
    """Return where a model's weights are."""
    return next(model.parameters()).device


class Trainable(Protocol):
    """What a training loop knows of a task."""

    @property
    def metric(self) -> str:
        """The score that chooses the best weights unless the recipe names another."""

    def collate(self, samples: Sequence[Any]) -> Any:
        """Lay samples end to end, as they are."""

    def draw(self, samples: Sequence[Any], reader: Any, noise: Noise) -> Any:
        """Return the batch that training sees: as `collate`, with what is random drawn anew.

        Draws from the global generator of torch, so that a resumed run draws the same.
        """

    def loss(self, model: Any, batch: Any) -> Loss:
        """Return the loss of a batch."""


class Task(Trainable, Protocol):
    """What a `Learner` knows of a task."""

    @property
    def name(self) -> str:
        """The name under which a saved predictor finds this task again."""

    def fit_to(self, columns: Columns, describe: Describe) -> Self:
        """Return this task with what it must know of its training data, such as the labels."""

    def check(self, columns: Columns, describe: Describe) -> None:
        """Raise `DataError` naming a row that cannot be learnt from, before a model is opened."""

    def corpus(self, columns: Columns) -> Columns:
        """Return the texts that the tokenizer of a model from scratch is learnt from."""

    def prepared(self, pretrained: Pretrained) -> Pretrained:
        """Return the model as this task needs it; raises `ConfigError` where it is of no use."""

    def model_of(self, pretrained: Pretrained, seed: int = 0) -> nn.Module:
        """Return what is trained, with fresh weights for what was not published."""

    def reader(self, pretrained: Pretrained, reading: Reading) -> Any:
        """Return how columns are read for this model; raises `RecipeError`."""

    def read(self, reader: Any, columns: Columns, describe: Describe) -> list[Any]:
        """Return the samples of a split."""

    def begin(self, model: Any, samples: Sequence[Any], run: Run) -> None:
        """Make the best of fresh weights that can be had without training."""

    def judge(
        self, model: Any, reader: Any, samples: Sequence[Any], columns: Columns, run: Run
    ) -> Judgement:
        """Say how good the model is on a split."""

    def in_training(self) -> Self:
        """Return the task as validations judge by it, where they are to take less time."""

    def rehearsal(self, columns: Columns) -> Scores:
        """Return the scores of an idle model: what `judge` will give, by its names."""

    def baseline(
        self, train: Columns, columns: Columns, cleaning: Cleaning
    ) -> tuple[str, Scores] | None:
        """Return the name and the scores of what a model has to beat, if there is anything.

        It learns from the rows of `train` and is judged on `columns`, texts as the model sees them.
        """

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` needs to make this task again."""


@runtime_checkable
class Joint(Protocol):
    """A task whose loss compares the samples of a batch, so that halves would be another batch.

    Where memory is short it is computed in parts instead, to the gradient of the whole.
    """

    def in_parts(self, tokens: int) -> Self:
        """Return the task that computes at most so many tokens at a time."""


@runtime_checkable
class Tunable(Protocol):
    """A task that makes of a model's outputs a decision, by a rule that is chosen after training.

    Weights do not change with it: thresholds, a temperature.
    """

    @property
    def wanted(self) -> str:
        """What was asked to be chosen, so that it takes rows held out; "" where nothing was."""

    @property
    def rule(self) -> str:
        """What was chosen, in a line; "" where nothing is."""

    def tuned(
        self, model: Any, reader: Any, samples: Sequence[Any], columns: Columns, run: Run
    ) -> Self:
        """Return this task with the rule that is best on a split; all else is as in `judge`."""


@runtime_checkable
class Tempered(Protocol):
    """A task whose loss grows where a model is too sure, which a temperature corrects."""

    def tempered_loss(self, model: Any, batches: Sequence[Any]) -> float:
        """Return the mean loss of batches at the temperature that is best for them."""


@runtime_checkable
class TwoStage(Protocol):
    """A task whose body learns something else than what it is judged by; its head is set then."""

    def lessons(self, samples: Sequence[Any], seed: int) -> tuple[Trainable, Sequence[Any]]:
        """Return what the body learns, and the samples of that."""

    def complete(self, model: Any, samples: Sequence[Any], run: Run) -> None:
        """Set the head for the body as it is now, from the samples of the task itself."""


@runtime_checkable
class Averageable(Protocol):
    """A task of which several models can answer as one, by the mean of what they say."""

    def averaged(self, outputs: Sequence[Tensor]) -> Tensor:
        """Return the outputs, (N, C), that say the mean of what several models' outputs say."""

    def agreed(self, others: Sequence[Self]) -> Self:
        """Return this task with the mean of its own rule and the rules of the others."""
