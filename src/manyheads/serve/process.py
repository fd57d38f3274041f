"""A worker as the service sees it: a process that is started, asked, and ended."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from manyheads.errors import OutOfMemory, WorkerLost
from manyheads.serve.frames import Frame, next_frame
from manyheads.serve.items import Answer, Question
from manyheads.serve.messages import answers_of, batch_frame, error_of

COMMAND = (sys.executable, "-m", "manyheads.serve.worker")
_STARTING = 300.0  # seconds: large models come from slow disks
_BUFFER = 1 << 20  # bytes read ahead of a worker's answers


class WorkerProcess:
    """One worker; `settings` say what it opens, `card` is what it said of that."""

    def __init__(self, settings: Mapping[str, Any], command: Sequence[str] = COMMAND) -> None:
        self.card: dict[str, Any] = {}
        self._line = (*command, json.dumps(dict(settings)))
        self._process: asyncio.subprocess.Process | None = None
        self._opened = False  # said by the process that there is now

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked: it has started, and not ended since."""
        return self._opened and self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """The number of its process."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start it and wait until it can be asked.

        Raises what its model was refused for, `WorkerLost` where the process ended.
        """
        self._opened = False
        self._process = await asyncio.create_subprocess_exec(
            *self._line,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_BUFFER,
        )
        try:
            async with asyncio.timeout(_STARTING):
                head = (await self._next()).head
        except TimeoutError:
            await self.kill()
            raise WorkerLost(f"a worker did not start in {_STARTING:.0f} s") from None
        except BaseException:
            await self.kill()
            raise
        if head["say"] != "ready":
            await self.kill()
            raise error_of(head["error"], head["why"])
        self.card = head["card"]
        self._opened = True

    async def answer(
        self, questions: Sequence[Question], threads: int, patience: float
    ) -> list[Answer]:
        """Return the answers to questions of one operation.

        Raises `OutOfMemory`, what else went wrong with the batch as a whole, and `WorkerLost` where
        the worker ended, or did not answer in `patience` seconds and was ended.
        """
        assert self._process is not None and self._process.stdin is not None
        try:
            async with asyncio.timeout(patience):
                self._process.stdin.write(batch_frame(questions, threads).to_bytes())
                with suppress(ConnectionError):  # what became of it, reading says
                    await self._process.stdin.drain()
                frame = await self._next()
        except TimeoutError:
            await self.kill()
            raise WorkerLost(f"a worker did not answer in {patience:.0f} s and was ended") from None
        match frame.head["say"]:
            case "done":
                return answers_of(frame)
            case "no memory":
                raise OutOfMemory(frame.head["why"])
        raise error_of(frame.head["error"], frame.head["why"])

    def tell(self, frame: Frame) -> None:
        """Say something that no single answer is waited for."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(frame.to_bytes())

    async def hear(self) -> Frame:
        """Wait for what it says next; raises `WorkerLost` where the worker ended."""
        return await self._next()

    async def ended(self) -> None:
        """Wait until its process is gone."""
        if self._process is not None:
            await self._process.wait()

    async def kill(self) -> None:
        """End it at once."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _next(self) -> Frame:
        assert self._process is not None and self._process.stdout is not None
        frame = await next_frame(self._process.stdout)
        if frame is None:
            self._opened = False  # the system may say only later that it has ended
            code = await self._process.wait()
            how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise WorkerLost(f"a worker {how}")
        return frame
