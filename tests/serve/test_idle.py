"""Who is called when there is something to do."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from manyheads.serve.idle import Idle
from manyheads.serve.process import WorkerProcess

COMMAND = (sys.executable, str(Path(__file__).parent / "obedient.py"))


async def _started() -> WorkerProcess:
    worker = WorkerProcess({}, COMMAND)
    await worker.start()
    return worker


def test_who_came_last_is_called_first_and_who_has_ended_calls_another() -> None:
    async def main() -> None:
        workers = [await _started() for _ in range(3)]
        idle, came = Idle(), []

        async def wait(number: int) -> None:
            await idle.wait(workers[number])
            came.append(number)

        try:
            waiting = [asyncio.create_task(wait(number)) for number in range(3)]
            await asyncio.sleep(0)
            idle.call()
            await waiting[2]
            assert came == [2]
            waiting[2] = asyncio.create_task(wait(2))
            await asyncio.sleep(0)
            pid = workers[2].pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await waiting[2]  # it is no longer to be called
            assert came == [2, 2] and not waiting[1].done()
            os.kill(workers[1].pid or 0, signal.SIGKILL)
            await workers[1].ended()
            idle.call()  # one who has ended, maybe, and does not know yet that it has
            await asyncio.wait_for(waiting[0], 10)
            idle.call()  # nobody is there
        finally:
            for worker in workers:
                await worker.kill()

    asyncio.run(main())
