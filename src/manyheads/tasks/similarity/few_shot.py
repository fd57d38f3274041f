"""Labels from a few rows of each class: the body learns which texts belong together, then the head.

    texts of each class ── contrasted ─→ pairs ── Contrast ─→ a body that tells classes apart
                                                     complete ─→ the best head over its features

A few texts make many pairs, which is what there is to learn from (SetFit, Tunstall et al. 2022).
Pairs are drawn, never listed: there are as many of them as texts, squared.
"""

from __future__ import annotations

import random
import zlib
from array import array
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self, overload

import torch
from torch import Tensor

from manyheads.errors import DataError, RecipeError
from manyheads.tasks.batch import Batch
from manyheads.tasks.classify import Classification
from manyheads.tasks.labels import Describe, label_name, labels_of
from manyheads.tasks.reader import Reader
from manyheads.tasks.sequence import Example, TaskModel
from manyheads.tasks.similarity.objectives import Objective, SquaredCosine
from manyheads.tasks.task import Columns, Loss, Noise, Run
from manyheads.text import Encoded


@dataclass(frozen=True)
class FewShot(Classification):
    """As `Classification`, for some ten rows of each class (SetFit, Tunstall et al. 2022).

    Training brings what the head sees of two texts together if they have the same label, and apart
    if not; then the head is set to the best linear reading of it. What is saved is a classifier
    like any other, which an ordinary training may go on with.

    Attributes:
        pairs_per_text: So many pairs of one class, and as many of two, for each text in an epoch.
        objective: The loss of pairs, whose scores are 1 for one class and 0 for two.
    """

    pairs_per_text: int = 20
    objective: Objective = field(default_factory=SquaredCosine)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pairs_per_text < 1:
            raise RecipeError(f"pairs_per_text={self.pairs_per_text} is below 1; choose such as 20")
        if not self.objective.takes_scores:
            raise RecipeError(
                f"objective={type(self.objective).__name__} learns from pairs without scores; "
                "choose one that takes them, such as SquaredCosine or CoSent"
            )

    def fit_to(self, columns: Columns, describe: Describe) -> Self:
        """Find the labels; raises `DataError` for fewer than two classes of texts."""
        fitted = super().fit_to(columns, describe)
        found = {label_name(value) for value in labels_of(columns)}
        if len(found) < 2:
            raise DataError(
                f"all training examples have the label {found.pop()!r}; "
                "a few shots are needed of at least 2 classes"
            )
        return fitted

    def lessons(self, samples: Sequence[Example], seed: int) -> tuple[Contrast, Twins]:
        """Return what the body learns, and the pairs of texts that it learns from."""
        labels = [one.target for one in samples]
        firsts, seconds = array("i"), array("i")
        for first, second in contrasted(labels, self.pairs_per_text * len(labels), seed):
            firsts.append(first)
            seconds.append(second)
        return Contrast(self), Twins(samples, firsts, seconds)

    def complete(self, model: TaskModel, samples: Sequence[Example], run: Run) -> None:
        """Set the last layer to the best linear reading of the body as it is now."""
        self.set_head(model, samples, run)


@dataclass(frozen=True)
class Contrast:
    """What the body of a few-shot classifier learns: which texts have the same label."""

    task: FewShot

    @property
    def metric(self) -> str:
        """The score that chooses the best weights: that of the classifier."""
        return self.task.metric

    def collate(self, samples: Sequence[Twin]) -> TwinBatch:
        """Lay the texts of pairs end to end."""
        examples, places_SN = _distinct(samples)
        return TwinBatch(self.task.collate(examples), places_SN)

    def draw(self, samples: Sequence[Twin], reader: Reader | None, noise: Noise) -> TwinBatch:
        """Lay the texts of pairs end to end, some of their tokens left out."""
        examples, places_SN = _distinct(samples)
        return TwinBatch(self.task.draw(examples, reader, noise), places_SN)

    def loss(self, model: TaskModel, batch: TwinBatch) -> Loss:
        """Return the loss of a batch, by pairs."""
        assert batch.texts.targets is not None
        labels_SN = batch.texts.targets[batch.places]
        vectors_SND = model.features(batch.texts)[batch.places]
        mean = self.task.objective(vectors_SND, (labels_SN[0] == labels_SN[1]).float())
        return Loss(mean * len(batch), float(len(batch)))


@dataclass(frozen=True)
class TwinBatch:
    """The texts of N pairs, each once, and where those of each pair stand."""

    texts: Batch
    places: Tensor  # (2, N)

    @property
    def rows(self) -> tuple[int, ...]:
        """The row of each text."""
        return self.texts.rows

    @property
    def tokens(self) -> int:
        """T, the tokens of all texts."""
        return self.texts.tokens

    def __len__(self) -> int:
        return self.places.shape[1]

    def to(self, device: torch.device) -> TwinBatch:
        """Return the batch on another device."""
        return TwinBatch(self.texts.to(device), self.places.to(device, non_blocking=True))


@dataclass(frozen=True, slots=True)
class Twin:
    """Two texts beside each other."""

    first: Example
    second: Example

    @property
    def row(self) -> int:
        """The row of the first one."""
        return self.first.row

    @property
    def tokens(self) -> int:
        """The tokens of both."""
        return self.first.tokens + self.second.tokens

    @property
    def texts(self) -> tuple[Encoded, ...]:
        """Both texts."""
        return (*self.first.texts, *self.second.texts)

    def digest(self, seed: int) -> int:
        """Return a checksum of both, going on from `seed`."""
        return self.second.digest(self.first.digest(zlib.crc32(b"twin", seed)))


class Twins(Sequence[Twin]):
    """Pairs of samples, by their numbers: a pair takes the memory of two integers."""

    def __init__(
        self, samples: Sequence[Example], firsts: Sequence[int], seconds: Sequence[int]
    ) -> None:
        self.samples = samples
        self.firsts = firsts
        self.seconds = seconds

    def __len__(self) -> int:
        return len(self.firsts)

    @overload
    def __getitem__(self, index: int) -> Twin: ...
    @overload
    def __getitem__(self, index: slice) -> Twins: ...
    def __getitem__(self, index: int | slice) -> Twin | Twins:
        if isinstance(index, slice):
            return Twins(self.samples, self.firsts[index], self.seconds[index])
        return Twin(self.samples[self.firsts[index]], self.samples[self.seconds[index]])


def contrasted(labels: Sequence[Hashable], count: int, seed: int) -> Iterator[tuple[int, int]]:
    """Yield `count` pairs of rows with one label and as many with two, in turns.

    All classes come equally often, and within each all of its rows, however many they are. A class
    of one row is paired with itself.
    """
    rows: dict[Hashable, list[int]] = defaultdict(list)
    for row, label in enumerate(labels):
        rows[label].append(row)
    draw = random.Random(seed)
    alike, unlike = ([_Deck(one, draw) for one in rows.values()] for _ in range(2))
    classes = len(rows)
    for turn in range(count):
        deck = alike[turn % classes]
        yield deck.deal(), deck.deal()
        shift = 1 + turn // classes % (classes - 1)
        yield unlike[turn % classes].deal(), unlike[(turn + shift) % classes].deal()


class _Deck:
    """Deals rows in a random order, all of them before any again, and none twice in a row."""

    def __init__(self, rows: Sequence[int], draw: random.Random) -> None:
        self._rows = list(rows)
        self._draw = draw
        self._left: list[int] = []
        self._last: int | None = None

    def deal(self) -> int:
        """Return the next row."""
        if not self._left:
            self._left = self._draw.sample(self._rows, len(self._rows))
            if self._left[-1] == self._last:
                self._left.reverse()
        self._last = self._left.pop()
        return self._last


def _distinct(samples: Sequence[Twin]) -> tuple[list[Example], Tensor]:
    """Return the texts of pairs, each once, and the places of those of each pair, (2, N)."""
    examples = {one.row: one for twin in samples for one in (twin.first, twin.second)}
    place = {row: number for number, row in enumerate(examples)}
    sides = zip(*((place[twin.first.row], place[twin.second.row]) for twin in samples), strict=True)
    return list(examples.values()), torch.tensor(list(sides))
