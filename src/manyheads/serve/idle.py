"""Workers that have nothing to do."""

from __future__ import annotations

import asyncio

from manyheads.serve.process import WorkerProcess


class Idle:
    """Who came last is called first: the model still lies in the cache of that one's core."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    async def wait(self, worker: WorkerProcess) -> None:
        """Wait until a worker is called, or its process has ended."""
        called = asyncio.get_running_loop().create_future()
        self._waiting.append(called)
        ended = asyncio.create_task(worker.ended())
        try:
            await asyncio.wait({called, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            if not called.done():
                self._waiting.remove(called)
            elif not worker.is_ready:
                self.call()  # another one: this one cannot come

    def call(self) -> None:
        """Call one of them, if there is any."""
        if self._waiting:
            self._waiting.pop().set_result(None)
