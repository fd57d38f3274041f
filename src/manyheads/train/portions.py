"""How much of an update is computed at a time: whole batches, or parts of them.

The loss of an update is a sum divided by a sum, whatever its batches are computed in, so that the
size of a part changes the memory that an update takes and nothing else. (What is random in reading
and dropout is drawn for each part.) A `Joint` task computes its batches in parts by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from manyheads.data.batch import packed
from manyheads.errors import TrainingError
from manyheads.tasks import Joint, Minibatch, Noise, Sample, Trainable

_REMEDIES = (
    "set activations=recompute, lower max_tokens, or let fewer weights learn (adapt=low_rank)"
)


@dataclass
class Portions:
    """Draws updates in parts of at most `tokens` tokens, or whole batches where that is None.

    `describe` says which row a number means, `say` tells what changes.
    """

    task: Trainable
    reader: Any
    describe: Callable[[int], str]
    say: Callable[[str], None]
    tokens: int | None = None
    _group: Sequence[Sequence[Sample]] = field(default=(), init=False)
    _noise: Noise = field(default_factory=Noise, init=False)

    def draw(self, group: Sequence[Sequence[Sample]], noise: Noise) -> list[Minibatch]:
        """Return what is computed one after the other for the batches of an update."""
        self._group, self._noise = group, noise
        task = self.task
        if self.tokens is not None and isinstance(task, Joint):
            task = task.in_parts(self.tokens)
        return [task.draw(part, self.reader, noise) for batch in group for part in self._of(batch)]

    def smaller(self) -> list[Minibatch]:
        """Return the last update in parts of half the size, which later ones have too.

        Raises `TrainingError` where each part is a single text already.
        """
        longest, sample = max(
            ((self.longest(one), one) for batch in self._group for one in batch),
            key=lambda found: found[0],
        )
        whole = max(sum(one.tokens for one in batch) for batch in self._group)
        largest = min(whole, self.tokens or whole)
        if largest <= longest:
            raise TrainingError(
                f"memory ran out over a single sequence of {longest:,} tokens "
                f"({self.describe(sample.row)}); {_REMEDIES}"
            )
        self.tokens = max(longest, largest // 2)
        self.say(
            f"memory ran out: from here on, at most {self.tokens:,} tokens are computed at a time; "
            "updates stay the same"
        )
        return self.draw(self._group, self._noise)

    def _of(self, batch: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
        """Yield the parts of a batch."""
        if self.tokens is None or isinstance(self.task, Joint):
            yield batch
            return
        for part in packed(range(len(batch)), [one.tokens for one in batch], self.tokens):
            yield [batch[number] for number in part]

    def longest(self, sample: Sample) -> int:
        """Return the tokens of a sample that cannot be computed one after the other."""
        if not isinstance(self.task, Joint):
            return sample.tokens
        return max(len(text.pieces[0].ids) for text in sample.texts)
