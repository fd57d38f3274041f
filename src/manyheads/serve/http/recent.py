"""What happened in the last minute, second by second: enough to draw it, whatever the load."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

SECONDS = 60
_LATELY = 5  # seconds that a rate is the mean of
_GROWTH = math.log(1.05)  # from one bucket of durations to the next

Second = TypeVar("Second")


@dataclass
class Asked:
    """The requests of one second; `durations` counts them by bucket."""

    requests: int = 0
    durations: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> None:
        """A request was answered in so many seconds."""
        self.requests += 1
        self.durations[math.ceil(math.log(max(seconds, 1e-6)) / _GROWTH)] += 1


@dataclass
class Worked:
    """What the workers of a model did in one second."""

    batches: int = 0
    items: int = 0
    tokens: int = 0

    def add(self, items: int, tokens: int) -> None:
        """A batch was answered."""
        self.batches += 1
        self.items += items
        self.tokens += tokens


class Minute(Generic[Second]):
    """Something for each of the last seconds; `new` makes that of a second in which nothing was."""

    def __init__(
        self, new: Callable[[], Second], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._new = new
        self._clock = clock
        self._seconds: deque[tuple[int, Second]] = deque(maxlen=SECONDS + 1)

    @property
    def now(self) -> Second:
        """That of the second which runs."""
        number = int(self._clock())
        if not self._seconds or self._seconds[-1][0] != number:
            self._seconds.append((number, self._new()))
        return self._seconds[-1][1]

    def whole(self) -> list[Second]:
        """Return those of the last sixty seconds that are over, oldest first."""
        running = int(self._clock())
        known = dict(self._seconds)
        return [known.get(one) or self._new() for one in range(running - SECONDS, running)]


def rate(series: Sequence[float]) -> float:
    """Return how many there were in a second, lately."""
    return sum(series[-_LATELY:]) / _LATELY


def quantile(durations: Counter[int], share: float) -> float | None:
    """Return the seconds that this share did not exceed, at most 5 % too many; None of none."""
    missing = share * durations.total()
    for bucket in sorted(durations):
        missing -= durations[bucket]
        if missing <= 0:
            return math.exp(bucket * _GROWTH)
    return None
