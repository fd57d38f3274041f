"""Which samples each update of a run sees: a pure function of recipe, lengths and task.

Nothing is remembered from update to update, so that a run goes on in the middle of an epoch where
its number of updates says that it was.
"""

from __future__ import annotations

import math
import random
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from manyheads.data.batch import shuffled_batches
from manyheads.tasks import HeadSample, ManyHeads, Sample, Trainable
from manyheads.train.recipe import Recipe


class Epochs:
    """Every epoch has all samples once."""

    def __init__(self, examples: Sequence[Sample], recipe: Recipe) -> None:
        self.examples = examples
        self.recipe = recipe
        self.lengths = [example.tokens for example in examples]
        whole = math.ceil(recipe.epochs)
        sizes = [len(self.updates(epoch)) for epoch in range(whole)]
        missing = (whole - recipe.epochs) * sizes[-1]
        self.starts = [0, *accumulate(sizes)]
        self.total_steps = max(1, self.starts[-1] - int(missing))

    def updates(self, epoch: int) -> list[list[list[int]]]:
        """Return, for each update of an epoch, its batches of example numbers."""
        batches, size = self.batches(epoch), self.recipe.accumulate
        return [batches[start : start + size] for start in range(0, len(batches), size)]

    def batches(self, epoch: int) -> list[list[int]]:
        """Return the batches of an epoch, as numbers of examples."""
        return _shuffled(self.lengths, self.recipe, epoch)

    @property
    def digest(self) -> int:
        """A checksum of what the epochs follow from besides the samples and the recipe."""
        return 0

    def samples(self, updates: Iterable[list[list[int]]]) -> Iterator[list[list[Sample]]]:
        """Yield the samples of updates, by batches."""
        for group in updates:
            yield [[self.examples[i] for i in indices] for indices in group]


class MixedEpochs(Epochs):
    """Every epoch has batches of each head, as many as its share says, in a random order.

    A head goes through its samples pass after pass, each in an order of its own, whatever epochs
    begin or end meanwhile.
    """

    def __init__(self, examples: Sequence[HeadSample], recipe: Recipe, task: ManyHeads) -> None:
        numbers: dict[str, list[int]] = {}
        for number, example in enumerate(examples):
            numbers.setdefault(example.head, []).append(number)
        lengths = [example.tokens for example in examples]
        self.streams = {head: Stream(own, lengths, recipe) for head, own in numbers.items()}
        shares = task.shares({head: len(own) for head, own in numbers.items()})
        self.counts = {
            head: max(1, round(share * len(examples) / len(numbers[head]) * len(stream.of_pass(0))))
            for (head, stream), share in zip(self.streams.items(), shares.values(), strict=True)
        }
        super().__init__(examples, recipe)

    @property
    def digest(self) -> int:
        """A checksum of how many batches of each head an epoch has."""
        return zlib.crc32(repr(self.counts).encode())

    def batches(self, epoch: int) -> list[list[int]]:
        """Return the batches of an epoch, each of a single head."""
        drawn = {
            head: iter(self.streams[head].batches(epoch * count, count))
            for head, count in self.counts.items()
        }
        turns = [head for head, count in self.counts.items() for _ in range(count)]
        random.Random(f"heads {self.recipe.seed} {epoch}").shuffle(turns)
        return [next(drawn[head]) for head in turns]


class Stream:
    """The batches of one head, without end."""

    def __init__(self, numbers: Sequence[int], lengths: Sequence[int], recipe: Recipe) -> None:
        self.numbers = numbers
        self.lengths = [lengths[number] for number in numbers]
        self.recipe = recipe
        self._starts = [0]  # of the passes that were looked at: how many batches lie before

    def of_pass(self, number: int) -> list[list[int]]:
        """Return the batches of one pass over all samples."""
        batches = _shuffled(self.lengths, self.recipe, number)
        if number + 1 == len(self._starts):
            self._starts.append(self._starts[number] + len(batches))
        return [[self.numbers[i] for i in batch] for batch in batches]

    def batches(self, first: int, count: int) -> list[list[int]]:
        """Return so many batches from number `first` on."""
        number, found = bisect_right(self._starts, first) - 1, list[list[int]]()
        while len(found) < count:
            batches = self.of_pass(number)
            found += batches[max(0, first - self._starts[number]) :]
            number += 1
        return found[:count]


def epochs_of(task: Trainable, examples: Sequence[Sample], recipe: Recipe) -> Epochs:
    """Return the epochs of a run: many heads take turns."""
    if isinstance(task, ManyHeads):
        return MixedEpochs([one for one in examples if isinstance(one, HeadSample)], recipe, task)
    return Epochs(examples, recipe)


def _shuffled(lengths: Sequence[int], recipe: Recipe, epoch: int) -> list[list[int]]:
    return shuffled_batches(
        lengths,
        max_tokens=recipe.batch_tokens,
        max_sequences=recipe.batch_size,
        seed=recipe.seed,
        epoch=epoch,
    )
