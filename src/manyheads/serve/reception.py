"""What answering questions and writing texts have in common: who is let in, and that all end."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, Generic, TypeVar

from manyheads.errors import Draining, ManyHeadsError, Overloaded, WorkerLost
from manyheads.serve.crew import Crew
from manyheads.serve.items import Lane, Waiting
from manyheads.serve.process import WorkerProcess

_LOOKING = 0.05  # seconds between two looks at whether a model can retire
One = TypeVar("One", bound=Waiting[Any])


@dataclass(frozen=True)
class Limits:
    """What a service allows itself.

    Attributes:
        batch_tokens: Tokens in a batch, unless one text has more.
        queue_tokens: Tokens that may wait before further questions are sent away: of people before
            people are, of all before programs are.
        threads: Cores of all workers together.
        texts_per_request: Texts in a request at most.
        patience: Seconds that a batch may take before its worker counts as hung, at least.
        rows: Texts that a worker writes at once, beams and samples counted.
        cache: Bytes of answers that are remembered; 0 for none.
    """

    batch_tokens: int = 1024
    queue_tokens: int = 200_000
    threads: int = 1
    texts_per_request: int = 100_000
    patience: float = 60.0
    rows: int = 64
    cache: int = 0


class Reception(ABC, Generic[One]):
    """Lets in what can be answered, by a crew that has started, and lets all of it end."""

    def __init__(self, crew: Crew, limits: Limits) -> None:
        self.crew = crew
        self.limits = limits
        self.watch = crew.watch
        self._open: set[One] = set()
        self._drains = False
        self._visitors = 0
        self._progress = 0.0  # when something was last answered, by the monotonic clock
        crew.keep_at(self._work, self._fail_all)

    @property
    def queued_tokens(self) -> int:
        """How many tokens wait."""
        return sum(map(self.tokens_waiting, Lane))

    @abstractmethod
    def tokens_waiting(self, lane: Lane) -> int:
        """Return how many tokens wait in a lane."""

    @abstractmethod
    async def _work(self, worker: WorkerProcess) -> None:
        """Let a worker do something, until that is done or the worker has ended."""

    @abstractmethod
    def _forget_waiting(self) -> None:
        """Let nobody wait any more."""

    @property
    def card(self) -> dict[str, Any]:
        """What the workers say of their model."""
        return self.crew.card

    @property
    def is_ready(self) -> bool:
        """Whether questions are taken, some worker can answer them, and work makes progress."""
        able = not self._drains and self.crew.is_able
        oldest = min((one.since for one in self._open), default=None)
        if oldest is None or not able:
            return able
        stands_since = max(oldest, self._progress)
        return monotonic() - stands_since < self.limits.patience

    @contextmanager
    def visited(self) -> Iterator[None]:
        """Do not retire while something is about to be asked."""
        self._visitors += 1
        try:
            yield
        finally:
            self._visitors -= 1

    async def retire(self) -> None:
        """End the workers as soon as nobody asks or waits any more; nobody new is to come."""
        while self._visitors or self._open:
            await asyncio.sleep(_LOOKING)
        await self.drain()

    async def drain(self, timeout: float | None = None) -> None:
        """Take nothing new, answer what is there, and end the workers."""
        self._drains = True
        if answers := [one.answer for one in self._open]:
            await asyncio.wait(answers, timeout=timeout)
        self._fail_all(Draining("the service ended before there was an answer"))
        await self.crew.end()

    def _admit(self, lane: Lane) -> None:
        """Raise where nothing new is taken by a lane now."""
        if self._drains:
            raise Draining("the service is about to end; ask another one")
        if self.crew.broken is not None:
            why = self.crew.broken
            raise WorkerLost(f"no worker starts ({why}); mend it, it is tried again")
        # Programs are kept out by all that waits, people by what people wait for alone.
        is_person = lane is Lane.INTERACTIVE
        waiting = self.tokens_waiting(lane) if is_person else self.queued_tokens
        limit = self.limits.queue_tokens
        if waiting >= limit:
            seconds = max(1.0, waiting * self.watch.seconds_a_token / len(self.crew.workers))
            error = Overloaded(
                f"{waiting:,} tokens wait, and the limit is {limit:,}; come back in "
                f"{seconds:.0f} s, or with less at once",
                retry_after=seconds,
            )
            self.watch.failed(error)
            raise error

    def _end(self, one: One, error: ManyHeadsError) -> None:
        if one.is_wanted:
            one.answer.set_exception(error)
            self.watch.failed(error)

    def _fail_all(self, error: ManyHeadsError) -> None:
        self._forget_waiting()
        for one in self._open:
            self._end(one, error)
