"""The engine of a service: questions of any number of clients, answered together.

    ask ─→ lanes ─ take ─→ batch ─→ a worker ─→ answers, each to the one who asked
                     ↑                 │
                     └──── again ◀─────┘     halved where memory ran out, each alone where it died

Every question ends: with an answer, or with a typed error. Nothing in here knows of HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic

from manyheads.errors import DeadlineExceeded, ManyHeadsError, OutOfMemory, WorkerLost
from manyheads.serve.cache import AnswerCache
from manyheads.serve.crew import Crew
from manyheads.serve.idle import Idle
from manyheads.serve.items import Answer, Item, Lane, Question
from manyheads.serve.lanes import Lanes
from manyheads.serve.process import WorkerProcess
from manyheads.serve.reception import Limits, Reception


class Batcher(Reception[Item]):
    """Answers questions by workers that all hold the same model."""

    def __init__(self, crew: Crew, limits: Limits) -> None:
        self._lanes = Lanes()
        self._cache = AnswerCache(limits.cache)
        self._busy = 0
        self._idle = Idle()
        super().__init__(crew, limits)

    @property
    def cache_hits(self) -> int:
        """How many questions were answered from what is remembered."""
        return self._cache.hits

    def tokens_waiting(self, lane: Lane) -> int:
        """Return how many tokens wait in a lane."""
        return self._lanes.tokens(lane)

    async def ask(
        self,
        questions: Sequence[Question],
        lane: Lane = Lane.INTERACTIVE,
        timeout: float | None = None,
    ) -> list[Answer | ManyHeadsError]:
        """Return an answer, or a typed error, for each question, in their order.

        Raises `Overloaded` where too much waits already, `Draining`, `WorkerLost` where no worker
        starts any more. After `timeout` seconds what is not answered ends as `DeadlineExceeded`.
        Who is cancelled while waiting is forgotten.
        """
        known = [self._cache.get(one) for one in questions]
        if all(one is not None for one in known):
            return [one for one in known if one is not None]
        self._admit(lane)
        loop = asyncio.get_running_loop()
        items = [Item(lane, monotonic(), loop.create_future(), one) for one in questions]
        for item, answer in zip(items, known, strict=True):
            if answer is None:
                self._lanes.add(item)
            else:
                item.answer.set_result(answer)
        self._open.update(items)
        self._idle.call()
        try:
            await asyncio.wait([item.answer for item in items], timeout=timeout)
            for item in items:
                self._end(item, DeadlineExceeded(f"no answer came in {timeout} s; allow more"))
            return [_outcome(item) for item in items]
        finally:
            for item in items:
                item.answer.cancel()
            self._open.difference_update(items)

    async def _work(self, worker: WorkerProcess) -> None:
        """Let a worker answer a batch."""
        batch = self._lanes.take(self.limits.batch_tokens)
        if not batch:
            await self._idle.wait(worker)
            return
        if self._lanes:
            self._idle.call()
        self._busy += 1
        try:
            await self._answer(worker, batch)
        except Exception as error:  # nobody may wait for ever, whatever went wrong
            await worker.kill()
            self._blame(batch, WorkerLost(f"a worker answered nonsense ({error})"))
        finally:
            self._busy -= 1

    def _forget_waiting(self) -> None:
        self._lanes.drain()

    async def _answer(self, worker: WorkerProcess, batch: list[Item]) -> None:
        tokens = sum(item.tokens for item in batch)
        patience = max(self.limits.patience, 20 * tokens * self.watch.seconds_a_token)
        threads = max(1, self.limits.threads // self._busy)
        begun = monotonic()
        for item in batch:
            self.watch.began(begun - item.since)
            item.notes.has_waited(begun - item.since)
        try:
            answers = await worker.answer([item.question for item in batch], threads, patience)
            paired = list(zip(batch, answers, strict=True))
        except OutOfMemory as error:
            self._halve(batch, error)
        except WorkerLost as error:
            self._blame(batch, error)
        except ManyHeadsError as error:
            self._one_by_one(batch, error)
        else:
            self._progress = monotonic()
            took = self._progress - begun
            self.watch.done(len(batch), tokens, took)
            for item, answer in paired:
                item.notes.has_worked(took)
                self._cache.put(item.question, answer)
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

    def _one_by_one(self, batch: list[Item], error: ManyHeadsError) -> None:
        """Find out which item it is that a batch went wrong over."""
        if len(batch) == 1:
            self._end(batch[0], error)
        else:
            self._again([[item] for item in batch])

    def _again(self, batches: Sequence[list[Item]]) -> None:
        for batch in batches:
            self._lanes.seal(batch)
            self._idle.call()


def _outcome(item: Item) -> Answer | ManyHeadsError:
    error = item.answer.exception()
    if error is None:
        return item.answer.result()
    assert isinstance(error, ManyHeadsError)
    return error
