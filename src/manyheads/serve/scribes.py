"""The engine of what is written: workers take new orders while they write others.

    write ─→ line ─ take ─→ a worker ─→ pieces of text as they become certain, each to its client
               ↑               │
               └──── again ◀───┘     halved where memory ran out, each alone where the worker died

What a worker that ended had written, another writes again from the start, and its client is told
only what is new. Every order ends: with what was written, or with a typed error.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import count
from time import monotonic
from typing import Any

from manyheads.errors import DeadlineExceeded, ManyHeadsError, OutOfMemory, WorkerLost
from manyheads.serve.crew import Crew
from manyheads.serve.frames import Frame
from manyheads.serve.items import Lane
from manyheads.serve.messages import error_of
from manyheads.serve.orders import Job, Order, OrderLine
from manyheads.serve.process import WorkerProcess
from manyheads.serve.reception import Limits, Reception


class Scribes(Reception[Job]):
    """Lets orders be written by workers that all hold the same model."""

    def __init__(self, crew: Crew, limits: Limits) -> None:
        self._line = OrderLine()
        self._arrived = asyncio.Event()
        super().__init__(crew, limits)

    def tokens_waiting(self, lane: Lane) -> int:
        """Return how many tokens wait in a lane."""
        return self._line.tokens(lane)

    def order(
        self,
        orders: Sequence[Order],
        lane: Lane = Lane.INTERACTIVE,
        timeout: float | None = None,
    ) -> list[Ordered]:
        """Let texts be written, all or none.

        Raises `Overloaded` where too much waits already, `Draining`, `WorkerLost` where no worker
        starts any more.
        """
        self._admit(lane)
        return [self._ordered(order, lane, timeout) for order in orders]

    def forget(self, job: Job) -> None:
        """Let nobody wait for a job any more; who writes it stops."""
        if not job.answer.cancel() and not job.answer.cancelled():
            job.answer.exception()  # whatever it is, nobody is left to be told
        self._open.discard(job)
        self._arrived.set()  # whoever writes it looks up

    def _ordered(self, order: Order, lane: Lane, timeout: float | None) -> Ordered:
        loop = asyncio.get_running_loop()
        job = Job(lane, monotonic(), loop.create_future(), order)
        job.answer.add_done_callback(lambda _: job.pieces.put_nowait(None))
        self._open.add(job)
        self._line.add(job)
        self._arrived.set()
        if timeout is not None:
            late = DeadlineExceeded(f"not all was written in {timeout} s; allow more")
            ended = loop.call_later(timeout, self._end, job, late)
            job.answer.add_done_callback(lambda _: ended.cancel())
        return Ordered(job, self)

    async def _work(self, worker: WorkerProcess) -> None:
        """Let a worker write until it ends."""
        session = _Session(worker, self.limits.threads // len(self.crew.workers))
        try:
            while worker.is_ready or session.jobs:  # one that ended may still have said something
                if worker.is_ready:
                    self._hand_over(session)
                if not session.jobs:
                    await self._something_new(worker)
                elif (frame := await self._heard(session)) is not None:
                    self._told(session, frame)
        except WorkerLost as error:
            self._blame(session.ended(), error)
        except Exception as error:  # what it said makes no sense: nobody may wait for it for ever
            await worker.kill()
            self._blame(session.ended(), WorkerLost(f"a worker answered nonsense ({error})"))
        finally:
            session.close()

    def _hand_over(self, session: _Session) -> None:
        """Give a worker what there is room for, and tell it whom nobody waits for any more."""
        session.forget_unwanted()
        if session.jobs and (session.is_sealed or self._line.has_sealed):
            return
        if group := self._line.sealed():
            session.take(group, is_sealed=True)
            return
        while job := self._line.take(self.limits.rows - session.rows, not session.jobs):
            waited = monotonic() - job.since
            self.watch.began(waited)
            job.notes.has_waited(waited)
            session.take([job])

    async def _heard(self, session: _Session) -> Frame | None:
        """Return what a worker says; None where somebody arrived or left meanwhile.

        Raises `WorkerLost` where it ended, or said nothing for too long and was ended.
        """
        self._arrived.clear()
        arriving = asyncio.create_task(self._arrived.wait())
        try:
            patience = max(0.0, session.heard_at + self.limits.patience - monotonic())
            first = asyncio.FIRST_COMPLETED
            await asyncio.wait({session.hearing, arriving}, timeout=patience, return_when=first)
            if session.hearing.done():
                return session.next_frame()
            if arriving.done():
                return None
        finally:
            arriving.cancel()
        await session.worker.kill()
        raise WorkerLost(f"a worker said nothing for {self.limits.patience:.0f} s and was ended")

    async def _something_new(self, worker: WorkerProcess) -> None:
        """Wait until somebody arrives, or the worker is gone."""
        self._arrived.clear()
        waits = {asyncio.create_task(one) for one in (self._arrived.wait(), worker.ended())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _told(self, session: _Session, frame: Frame) -> None:
        head = frame.head
        match head["say"]:
            case "news":
                self._pass_on(session, frame)
            case "no memory":
                self._halve(session.ended(), OutOfMemory(head["why"]))
            case _:
                self._blame(session.ended(), error_of(head["error"], head["why"]))

    def _pass_on(self, session: _Session, frame: Frame) -> None:
        """Tell clients what a worker wrote."""
        self._progress, before = monotonic(), self._progress
        ended = 0
        for number, kind, said in frame.head["news"]:
            job = session.jobs.get(number)
            if job is None:  # nobody waits for it any more
                continue
            match kind:
                case "piece":
                    self._add(job, said)
                case "done":
                    del session.jobs[number]
                    ended += 1
                    if job.is_wanted:
                        job.notes.has_written(said["written"])
                        job.answer.set_result(said)
                case "error":
                    del session.jobs[number]
                    self._end(job, error_of(*said))
        begun = max(before, session.busy_since)
        self.watch.done(ended, frame.head["tokens"], self._progress - begun)

    def _add(self, job: Job, piece: str) -> None:
        """Pass on a piece of text, if it is not what its client was told before."""
        job.heard += piece
        if len(job.heard) <= len(job.told):
            return
        if not job.heard.startswith(job.told):
            # A worker died, and sums of another order of additions led to another word.
            self._end(job, WorkerLost("a worker ended amid this text, and it cannot go on; retry"))
            return
        if not job.told:
            self.watch.first(monotonic() - job.since)
        job.pieces.put_nowait(job.heard[len(job.told) :])
        job.told = job.heard

    def _halve(self, group: list[Job], error: OutOfMemory) -> None:
        """Let each half of what was too much together be written by itself."""
        if len(group) == 1:
            self._end(group[0], OutOfMemory(f"{error}; shorten the text, or ask for less"))
            return
        half = len(group) // 2
        self._again([group[:half], group[half:]])

    def _blame(self, group: list[Job], error: ManyHeadsError) -> None:
        """Let each of those over whom a worker failed be written alone, once."""
        for job in group:
            job.crashes += 1
            if job.crashes > 1:
                self._end(job, type(error)(f"{error} twice over this text; leave it out"))
        self._again([[job] for job in group if job.is_wanted])

    def _again(self, groups: list[list[Job]]) -> None:
        for group in groups:
            for job in group:
                job.heard = ""
            self._line.seal(group)
        self._arrived.set()

    def _forget_waiting(self) -> None:
        self._line.clear()


class Ordered:
    """Something that is being written; whoever leaves it is forgotten.

    (ordered,) = scribes.order([order])
    with ordered:
        async for piece in ordered.pieces(): ...
        written = await ordered.whole()
    """

    def __init__(self, job: Job, scribes: Scribes) -> None:
        self._job = job
        self._scribes = scribes

    def __enter__(self) -> Ordered:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Wait for it no longer; what is not written yet, nobody will write."""
        self._scribes.forget(self._job)

    async def pieces(self) -> AsyncIterator[str]:
        """Yield its text as it becomes certain; raises the error that ends it."""
        while (piece := await self._job.pieces.get()) is not None:
            yield piece
        await self.whole()

    async def whole(self) -> dict[str, Any]:
        """Return what was written; raises the error that ended it."""
        return await asyncio.shield(self._job.answer)


class _Session:
    """What a worker is writing, as long as it lives."""

    def __init__(self, worker: WorkerProcess, threads: int) -> None:
        self.worker = worker
        self.jobs: dict[int, Job] = {}
        self.is_sealed = False
        self.hearing = asyncio.create_task(worker.hear())
        self.heard_at = 0.0  # by the monotonic clock: when it last said something, or was idle
        self.busy_since = 0.0
        self._threads = max(1, threads)
        self._numbers = count()

    @property
    def rows(self) -> int:
        """How many sequences are in work."""
        return sum(job.order.rows for job in self.jobs.values())

    def take(self, jobs: list[Job], is_sealed: bool = False) -> None:
        """Give the worker jobs to write."""
        if not self.jobs:
            self.heard_at = self.busy_since = monotonic()
        self.is_sealed = is_sealed
        for job, number in zip(jobs, self._numbers, strict=False):
            self.jobs[number] = job
            said = {"job": number, "threads": self._threads, **job.order.to_json()}
            self.worker.tell(Frame(said))

    def forget_unwanted(self) -> None:
        """Tell the worker whom nobody waits for any more."""
        for number in [number for number, job in self.jobs.items() if not job.is_wanted]:
            del self.jobs[number]
            self.worker.tell(Frame({"do": "forget", "job": number}))

    def next_frame(self) -> Frame:
        """Return what the worker said; raises `WorkerLost` where it ended."""
        frame = self.hearing.result()
        self.hearing = asyncio.create_task(self.worker.hear())
        self.heard_at = monotonic()
        return frame

    def ended(self) -> list[Job]:
        """Return all jobs; the worker writes none of them any more."""
        jobs = [job for job in self.jobs.values() if job.is_wanted]
        self.jobs.clear()
        return jobs

    def close(self) -> None:
        """Listen no more."""
        self.hearing.cancel()
