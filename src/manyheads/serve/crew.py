"""Workers that hold the same model: started together, each started again where it ended."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from manyheads.errors import ManyHeadsError, WorkerLost
from manyheads.serve.process import WorkerProcess
from manyheads.serve.watch import Watch

_STARTS = 3  # in vain, one after the other: then there is no hope for those that wait
_LONGEST_PAUSE = 30.0  # seconds between two starts of a worker that does not start

Work = Callable[[WorkerProcess], Awaitable[None]]
GiveUp = Callable[[WorkerLost], None]


class Crew:
    """All workers of one model; `broken` says why none of them starts any more."""

    def __init__(self, workers: Sequence[WorkerProcess], watch: Watch | None = None) -> None:
        self.workers = list(workers)
        self.watch = watch or Watch()
        self.broken: WorkerLost | None = None
        self._failures = dict.fromkeys(range(len(self.workers)), 0)
        self._tasks: list[asyncio.Task[None]] = []
        self._duty: tuple[Work, GiveUp] | None = None

    @property
    def card(self) -> dict[str, Any]:
        """What the workers say of their model."""
        return self.workers[0].card

    @property
    def is_able(self) -> bool:
        """Whether some worker can be asked."""
        return any(worker.is_ready for worker in self.workers)

    async def start(self) -> None:
        """Start all workers; raises what their model is refused for."""
        starts = (worker.start() for worker in self.workers)
        found = await asyncio.gather(*starts, return_exceptions=True)
        if (wrong := next((one for one in found if one is not None), None)) is not None:
            await self.end()
            raise wrong

    def keep_at(self, work: Work, give_up: GiveUp) -> None:
        """Let every worker do some `work`, again and again; who has ended is started before.

        `give_up` is told where none of them starts any more; it is still tried.
        """
        self._duty = work, give_up
        self._tasks = [
            asyncio.create_task(self._keep(number, *self._duty))
            for number in range(len(self.workers))
        ]

    def add(self, workers: Sequence[WorkerProcess]) -> None:
        """Let others join, who are started while those that are there work."""
        assert self._duty is not None, "nobody works yet"
        for worker in workers:
            number = len(self.workers)
            self.workers.append(worker)
            self._failures[number] = 0
            self._tasks.append(asyncio.create_task(self._keep(number, *self._duty)))

    async def end(self) -> None:
        """End all workers at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.kill() for worker in self.workers))

    async def _keep(self, number: int, work: Work, give_up: GiveUp) -> None:
        worker = self.workers[number]
        while True:
            if worker.is_ready or await self._revived(number, give_up):
                try:
                    await work(worker)
                except Exception:  # a mistake of ours: it is told, and the worker goes on
                    traceback.print_exc()
                    await worker.kill()

    async def _revived(self, number: int, give_up: GiveUp) -> bool:
        """Start a worker again; where it does not start, wait longer each time."""
        failures, worker = self._failures[number], self.workers[number]
        is_new = not worker.card
        if failures:
            await asyncio.sleep(min(_LONGEST_PAUSE, 0.25 * 2**failures))
        try:
            await worker.start()
        except (ManyHeadsError, OSError) as error:
            self._failures[number] += 1
            if min(self._failures.values()) >= _STARTS:
                self.broken = WorkerLost(str(error))
                give_up(WorkerLost(f"no worker starts ({error})"))
            return False
        self._failures[number] = 0
        self.broken = None
        if not is_new:
            self.watch.restarted()
        return True
