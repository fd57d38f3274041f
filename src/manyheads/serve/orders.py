"""What a service is asked to write: orders, and which of those that wait go next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from manyheads.serve.items import Lane, Waiting
from manyheads.serve.lanes import Turns


class Writing(Enum):
    """What is to be written."""

    OUTPUT = "output"  # what a model writes for a text, or goes on with
    REPLY = "reply"  # to a dialogue
    TRANSLATION = "translation"  # of a text of any length
    SUMMARY = "summary"  # of a text of any length


@dataclass(frozen=True)
class Order:
    """A text to write.

    Attributes:
        writing: What it is.
        given: The text, or the messages of a dialogue.
        wording: How it is to be written: fields of a wording by name, and of its strategy.
        tokens: How many tokens it takes about, read and written, for those who wait behind it.
        rows: How many sequences are in work for it at once.
        streams: Whether its text is told piece by piece.
    """

    writing: Writing
    given: str | Sequence[Mapping[str, str]]
    wording: Mapping[str, Any]
    tokens: int
    rows: int = 1
    streams: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return what a worker is told."""
        return {
            "do": self.writing.value,
            "given": self.given,
            "wording": dict(self.wording),
            "streams": self.streams,
        }


@dataclass(eq=False)
class Job(Waiting[dict[str, Any]]):
    """An order that waits, or is in work.

    `pieces` are those of its text that nobody has read yet, None behind the last one. `heard` is
    what a worker has written of it so far, `told` what its client was told, maybe by another one.
    """

    order: Order
    pieces: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    heard: str = ""
    told: str = ""


class OrderLine:
    """Jobs that wait, by age; groups of those that went wrong together come first, by themselves.

    Nothing here waits or looks at a clock.
    """

    def __init__(self) -> None:
        self._lanes: dict[Lane, deque[Job]] = {lane: deque() for lane in Lane}
        self._sealed: deque[list[Job]] = deque()
        self._turns = Turns()

    def tokens(self, lane: Lane) -> int:
        """Return how many tokens those take about that wait in a lane."""
        return sum(job.order.tokens for job in self._all() if job.is_wanted and job.lane is lane)

    def add(self, job: Job) -> None:
        """Let a job wait behind those of its lane."""
        self._lanes[job.lane].append(job)

    def seal(self, group: list[Job]) -> None:
        """Let jobs be written next, with no others beside them."""
        self._sealed.append(group)

    @property
    def has_sealed(self) -> bool:
        """Whether a group waits that is to be by itself."""
        return bool(self._sealed)

    def sealed(self) -> list[Job]:
        """Return the next group that is to be by itself; empty where there is none."""
        while self._sealed:
            if wanted := [job for job in self._sealed.popleft() if job.is_wanted]:
                return wanted
        return []

    def take(self, rows: int, idle: bool) -> Job | None:
        """Return the next job, if it fits into so many rows, or whatever it takes to one `idle`."""
        for lane in self._turns.order():
            waiting = self._lanes[lane]
            while waiting and not waiting[0].is_wanted:
                waiting.popleft()
            if waiting:
                if waiting[0].order.rows > rows and not idle:
                    return None  # what came later must not keep it waiting
                self._turns.taken()
                return waiting.popleft()
        return None

    def clear(self) -> None:
        """Let nobody wait any more."""
        self._sealed.clear()
        for waiting in self._lanes.values():
            waiting.clear()

    def _all(self) -> Iterator[Job]:
        for group in self._sealed:
            yield from group
        for waiting in self._lanes.values():
            yield from waiting
