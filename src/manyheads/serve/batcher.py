"""The engine of a service: questions of any number of clients, answered together.

    ask ─→ lanes ─ take ─→ batch ─→ a worker ─→ answers, each to the one who asked
                     ↑                 │
                     └──── again ◀─────┘     halved where memory ran out, each alone where it died

Every question ends: with an answer, or with a typed error. Nothing in here knows of HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from manyheads.errors import (
    DeadlineExceeded,
    Draining,
    ManyHeadsError,
    OutOfMemory,
    Overloaded,
    ServiceError,
    WorkerLost,
)
from manyheads.serve.items import Answer, Item, Lane, Question
from manyheads.serve.lanes import Lanes
from manyheads.serve.process import WorkerProcess
from manyheads.serve.watch import Watch

_STARTS = 3  # in vain, one after the other: then there is no hope for those that wait
_LONGEST_PAUSE = 30.0  # seconds between two starts of a worker that does not start


@dataclass(frozen=True)
class Limits:
    """What a service allows itself.

    Attributes:
        batch_tokens: Tokens in a batch, unless one text has more.
        queue_tokens: Tokens that may wait before further questions are sent away.
        threads: Cores of all workers together.
        patience: Seconds that a batch may take before its worker counts as hung, at least.
    """

    batch_tokens: int = 1024
    queue_tokens: int = 200_000
    threads: int = 1
    patience: float = 60.0


class Batcher:
    """Answers questions by workers that all hold the same model."""

    def __init__(
        self, workers: Sequence[WorkerProcess], limits: Limits, watch: Watch | None = None
    ) -> None:
        self.workers = list(workers)
        self.limits = limits
        self.watch = watch or Watch()
        self._lanes = Lanes()
        self._arrived = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._failures = dict.fromkeys(range(len(self.workers)), 0)
        self._open: set[Item] = set()
        self._busy = 0
        self._drains = False
        self._broken: ManyHeadsError | None = None
        self._progress = 0.0  # when a batch was last answered, by the loop's clock

    async def start(self) -> None:
        """Start all workers; raises what their model is refused for."""
        starts = (worker.start() for worker in self.workers)
        found = await asyncio.gather(*starts, return_exceptions=True)
        if (wrong := next((one for one in found if one is not None), None)) is not None:
            await self._kill()
            raise wrong
        self._tasks = [asyncio.create_task(self._serve(i)) for i in range(len(self.workers))]

    @property
    def card(self) -> dict[str, object]:
        """What the workers say of their model."""
        return self.workers[0].card

    @property
    def queued_tokens(self) -> int:
        """How many tokens wait."""
        return self._lanes.tokens

    @property
    def is_ready(self) -> bool:
        """Whether questions are taken, some worker can answer them, and work makes progress."""
        able = not self._drains and any(worker.is_ready for worker in self.workers)
        oldest = min((item.since for item in self._open), default=None)
        if oldest is None or not able:
            return able
        stands_since = max(oldest, self._progress)
        return asyncio.get_running_loop().time() - stands_since < self.limits.patience

    async def ask(
        self,
        questions: Sequence[Question],
        lane: Lane = Lane.INTERACTIVE,
        timeout: float | None = None,
    ) -> list[Answer | ServiceError]:
        """Return an answer, or a typed error, for each question, in their order.

        Raises `Overloaded` where too much waits already, `Draining`, `WorkerLost` where no worker
        starts any more. After `timeout` seconds what is not answered ends as `DeadlineExceeded`.
        Who is cancelled while waiting is forgotten.
        """
        self._admit()
        if not questions:
            return []
        loop = asyncio.get_running_loop()
        items = [Item(one, lane, loop.time(), loop.create_future()) for one in questions]
        for item in items:
            self._lanes.add(item)
        self._open.update(items)
        self._arrived.set()
        try:
            await asyncio.wait([item.answer for item in items], timeout=timeout)
            for item in items:
                self._end(item, DeadlineExceeded(f"no answer came in {timeout} s; allow more"))
            return [_outcome(item) for item in items]
        finally:
            for item in items:
                item.answer.cancel()
            self._open.difference_update(items)

    async def drain(self, timeout: float | None = None) -> None:
        """Take nothing new, answer what is there, and end the workers."""
        self._drains = True
        if open_answers := [item.answer for item in self._open]:
            await asyncio.wait(open_answers, timeout=timeout)
        self._fail_all(Draining("the service ended before there was an answer"))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._kill()

    def _admit(self) -> None:
        """Raise where nothing new is taken now."""
        if self._drains:
            raise Draining("the service is about to end; ask another one")
        if self._broken is not None:
            raise WorkerLost(f"no worker starts ({self._broken}); mend it, it is tried again")
        waiting, limit = self._lanes.tokens, self.limits.queue_tokens
        if waiting >= limit:
            seconds = max(1.0, waiting * self.watch.seconds_a_token / len(self.workers))
            error = Overloaded(
                f"{waiting:,} tokens wait, and the limit is {limit:,}; come back in "
                f"{seconds:.0f} s, or with less at once",
                retry_after=seconds,
            )
            self.watch.failed(error)
            raise error

    async def _serve(self, number: int) -> None:
        """Let a worker answer batch after batch, and start it again where it ended."""
        worker = self.workers[number]
        while True:
            if not worker.is_ready and not await self._revived(number):
                continue
            if batch := await self._next(worker):
                self._busy += 1
                try:
                    await self._answer(worker, batch)
                finally:
                    self._busy -= 1

    async def _next(self, worker: WorkerProcess) -> list[Item]:
        """Wait for the next batch; an empty one says that the worker ended meanwhile."""
        while worker.is_ready:
            if batch := self._lanes.take(self.limits.batch_tokens):
                return batch
            self._arrived.clear()
            waits = {asyncio.create_task(one) for one in (self._arrived.wait(), worker.ended())}
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        return []

    async def _answer(self, worker: WorkerProcess, batch: list[Item]) -> None:
        tokens = sum(item.tokens for item in batch)
        patience = max(self.limits.patience, 20 * tokens * self.watch.seconds_a_token)
        threads = max(1, self.limits.threads // self._busy)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for item in batch:
            self.watch.began(begun - item.since)
        try:
            answers = await worker.answer([item.question for item in batch], threads, patience)
            paired = list(zip(batch, answers, strict=True))
        except OutOfMemory as error:
            self._halve(batch, error)
        except WorkerLost as error:
            self._blame(batch, error)
        except ServiceError as error:
            self._one_by_one(batch, error)
        except Exception as error:  # what it said makes no sense: nobody may wait for it for ever
            await worker.kill()
            self._blame(batch, WorkerLost(f"a worker answered nonsense ({error})"))
        else:
            self._progress = loop.time()
            self.watch.done(len(batch), tokens, self._progress - begun)
            for item, answer in paired:
                if item.is_wanted:
                    item.answer.set_result(answer)

    def _halve(self, batch: list[Item], error: OutOfMemory) -> None:
        """Let each half of a batch that was too much be answered by itself."""
        if len(batch) == 1:
            self._end(batch[0], OutOfMemory(f"{error}; shorten the text"))
            return
        half = len(batch) // 2
        self._again([batch[half:], batch[:half]])

    def _blame(self, batch: list[Item], error: WorkerLost) -> None:
        """Let each item of a batch over which a worker died be answered alone, once."""
        for item in batch:
            item.crashes += 1
            if item.crashes > 1:
                self._end(item, WorkerLost(f"{error} twice over this text; leave it out"))
        self._again([[item] for item in batch if item.is_wanted])

    def _one_by_one(self, batch: list[Item], error: ServiceError) -> None:
        """Find out which item it is that a batch went wrong over."""
        if len(batch) == 1:
            self._end(batch[0], error)
        else:
            self._again([[item] for item in batch])

    def _again(self, batches: Sequence[list[Item]]) -> None:
        for batch in batches:
            self._lanes.seal(batch)
        self._arrived.set()

    def _end(self, item: Item, error: ServiceError) -> None:
        if item.is_wanted:
            item.answer.set_exception(error)
            self.watch.failed(error)

    async def _revived(self, number: int) -> bool:
        """Start a worker again; where it does not start, wait longer each time."""
        failures = self._failures[number]
        if failures:
            await asyncio.sleep(min(_LONGEST_PAUSE, 0.25 * 2**failures))
        try:
            await self.workers[number].start()
        except (ManyHeadsError, OSError) as error:
            self._failures[number] += 1
            if min(self._failures.values()) >= _STARTS:
                self._broken = WorkerLost(str(error))
                self._fail_all(WorkerLost(f"no worker starts ({error})"))
            return False
        self._failures[number] = 0
        self._broken = None
        self.watch.restarted()
        return True

    def _fail_all(self, error: ServiceError) -> None:
        self._lanes.drain()
        for item in self._open:
            self._end(item, error)

    async def _kill(self) -> None:
        await asyncio.gather(*(worker.kill() for worker in self.workers))


def _outcome(item: Item) -> Answer | ServiceError:
    error = item.answer.exception()
    if error is None:
        return item.answer.result()
    assert isinstance(error, ServiceError)
    return error
