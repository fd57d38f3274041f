"""How long a client waits: for an answer at all, and before it asks again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

_FIRST_PAUSE = 0.25  # seconds
_LONGEST_PAUSE = 30.0


@dataclass(frozen=True)
class Deadline:
    """The end of a call: `seconds` after it began, which is `at` by the loop's clock."""

    seconds: float
    at: float

    @classmethod
    def within(cls, seconds: float) -> Deadline:
        """Return the deadline of a call that begins now."""
        return cls(seconds, asyncio.get_running_loop().time() + seconds)

    @property
    def left(self) -> float:
        """How many seconds are left, at least 0."""
        return max(0.0, self.at - asyncio.get_running_loop().time())


def pauses(retries: int) -> Iterator[float]:
    """Yield the seconds to wait before each further attempt: twice as many each time, about.

    About, so that clients who were sent away together do not come back together.
    """
    for attempt in range(retries):
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt)
        yield random.uniform(longest / 2, longest)


def seconds_of(retry_after: str | None) -> float:
    """Return how many seconds from now a `Retry-After` means: a number, or a date; 0 for none."""
    if retry_after is None:
        return 0.0
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0
