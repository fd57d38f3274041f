"""Everything that is written ends, whatever happens to the processes: they are really killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from manyheads.errors import (
    DeadlineExceeded,
    Draining,
    GenerationError,
    ManyHeadsError,
    OutOfMemory,
    Overloaded,
    ServiceError,
    WorkerLost,
)
from manyheads.serve.crew import Crew
from manyheads.serve.items import Lane
from manyheads.serve.orders import Order, Writing
from manyheads.serve.process import WorkerProcess
from manyheads.serve.reception import Limits
from manyheads.serve.scribes import Scribes

COMMAND = (sys.executable, str(Path(__file__).parent / "obedient_writer.py"))
WORDS = "one two three four"


def order(text: str, rows: int = 1, tokens: int = 10) -> Order:
    return Order(Writing.OUTPUT, text, {}, tokens, rows, streams=True)


def run(
    work: Callable[[Scribes], Awaitable[Any]],
    workers: int = 1,
    settings: dict[str, Any] | None = None,
    **limits: Any,
) -> Any:
    """Run a test with scribes that are started, and ended whatever happens."""

    async def main() -> Any:
        crew = Crew([WorkerProcess(settings or {}, COMMAND) for _ in range(workers)])
        await crew.start()
        scribes = Scribes(crew, Limits(**limits))
        try:
            async with asyncio.timeout(120):
                return await work(scribes)
        finally:
            await scribes.drain(timeout=0)
            assert not any(worker.is_ready for worker in crew.workers)

    return asyncio.run(main())


async def written(scribes: Scribes, text: str, **more: Any) -> dict[str, Any] | ManyHeadsError:
    """Return what was written, whose pieces are all of it; or the error that ended it."""
    with scribes.order([order(text)], **more)[0] as ordered:
        pieces = []
        try:
            async for piece in ordered.pieces():
                pieces.append(piece)
            whole = await ordered.whole()
        except ManyHeadsError as error:
            return error
        assert "".join(pieces) == whole["text"] == f"{text} "
        return whole


def test_pieces_and_the_whole() -> None:
    async def work(scribes: Scribes) -> None:
        whole = await written(scribes, WORDS)
        assert isinstance(whole, dict) and whole["text"] == f"{WORDS} "
        assert not scribes._open and scribes.queued_tokens == 0

    run(work)


def test_who_comes_later_is_written_beside_those_in_work() -> None:
    async def work(scribes: Scribes) -> None:
        long = asyncio.create_task(written(scribes, " ".join(["word"] * 100)))
        await asyncio.sleep(0.3)
        short = await written(scribes, WORDS)
        assert isinstance(short, dict) and short["beside"] == 1 and not long.done()
        assert isinstance(await long, dict)

    run(work, settings={"pause": 0.01})


def test_rows_are_the_limit_and_nobody_waits_for_ever() -> None:
    async def work(scribes: Scribes) -> None:
        orders = [written(scribes, f"{WORDS} {number}") for number in range(20)]
        found = await asyncio.gather(*orders)
        assert max(one["beside"] for one in found) <= 2
        with scribes.order([order(WORDS, rows=9)])[0] as wide:  # wider than there is room for
            assert (await wide.whole())["beside"] == 0

    run(work, rows=3)


def test_programs_have_their_turn_behind_people() -> None:
    async def work(scribes: Scribes) -> None:
        ends: list[str] = []

        async def one(name: str, lane: Lane) -> None:
            await written(scribes, name, lane=lane)
            ends.append(name)

        first = asyncio.create_task(one(" ".join(["first"] * 30), Lane.INTERACTIVE))
        await asyncio.sleep(0.1)
        bulk = [one(f"bulk{n}", Lane.BULK) for n in range(3)]
        people = [one(f"person{n}", Lane.INTERACTIVE) for n in range(9)]
        await asyncio.gather(first, *bulk, *people)
        assert ends.index("bulk0") < ends.index("person8")
        assert ends.index("person0") < ends.index("bulk0") and ends.index("bulk2") > 8

    run(work, settings={"pause": 0.01}, rows=1)


def test_a_worker_that_is_killed_takes_nothing_with_it(tmp_path: Path) -> None:
    """Its client is told the rest by another, and nothing twice."""

    async def work(scribes: Scribes) -> None:
        first = scribes.crew.workers[0].pid
        texts = [f"a b die-once {WORDS}", *(f"{WORDS} {n}" for n in range(5))]
        found = await asyncio.gather(*(written(scribes, text) for text in texts))
        assert all(isinstance(one, dict) and one["pid"] != first for one in found)
        assert scribes.watch.restarts == 1

    run(work, settings={"mark": str(tmp_path / "mark")})


def test_only_the_one_that_kills_is_lost() -> None:
    async def work(scribes: Scribes) -> None:
        texts = ["a die b", *(f"{WORDS} {n}" for n in range(4))]
        poison, *others = await asyncio.gather(*(written(scribes, text) for text in texts))
        assert isinstance(poison, WorkerLost) and "twice over this text" in str(poison)
        assert all(isinstance(one, dict) for one in others)

    run(work)


def test_a_worker_that_hangs_is_ended() -> None:
    async def work(scribes: Scribes) -> None:
        hanging, other = await asyncio.gather(written(scribes, "hang"), written(scribes, WORDS))
        assert isinstance(hanging, WorkerLost) and "said nothing" in str(hanging)
        assert isinstance(other, dict)

    run(work, patience=0.5)


def test_what_is_too_much_together_is_written_in_halves() -> None:
    async def work(scribes: Scribes) -> None:
        texts = [f"a greedy b {n}" for n in range(5)]
        found = await asyncio.gather(*(written(scribes, text) for text in texts))
        assert all(isinstance(one, dict) for one in found)
        glutton, other = await asyncio.gather(written(scribes, "glutton"), written(scribes, WORDS))
        assert isinstance(glutton, OutOfMemory) and "shorten" in str(glutton)
        assert isinstance(other, dict)

    run(work)


def test_what_fails_for_all_fails_for_one_alone() -> None:
    async def work(scribes: Scribes) -> None:
        failing, other = await asyncio.gather(written(scribes, "nonsense"), written(scribes, WORDS))
        assert isinstance(failing, ServiceError) and "a step that fails for all" in str(failing)
        assert isinstance(other, dict)

    run(work)


def test_what_is_refused_is_refused_alone() -> None:
    async def work(scribes: Scribes) -> None:
        refused, other = await asyncio.gather(written(scribes, "refused"), written(scribes, WORDS))
        assert isinstance(refused, GenerationError) and isinstance(other, dict)

    run(work)


def test_deadlines_and_those_who_leave() -> None:
    async def work(scribes: Scribes) -> None:
        long = " ".join(["word"] * 10_000)
        late = await written(scribes, long, timeout=0.2)
        assert isinstance(late, DeadlineExceeded)
        leaving = asyncio.create_task(written(scribes, long))
        await asyncio.sleep(0.1)
        leaving.cancel()
        short = await written(scribes, WORDS)
        # Nobody writes on for those who are gone.
        assert isinstance(short, dict) and short["beside"] == 0 and not scribes._open

    run(work, settings={"pause": 0.005})


def test_more_than_may_wait_is_sent_away() -> None:
    async def work(scribes: Scribes) -> None:
        first = asyncio.create_task(written(scribes, " ".join(["word"] * 100)))
        await asyncio.sleep(0.1)
        waiting = [asyncio.create_task(written(scribes, WORDS)) for _ in range(2)]
        await asyncio.sleep(0)
        assert scribes.queued_tokens == 20
        with pytest.raises(Overloaded, match="20 tokens wait"):
            scribes.order([order(WORDS)])
        assert all(isinstance(one, dict) for one in await asyncio.gather(first, *waiting))

    run(work, settings={"pause": 0.005}, rows=1, queue_tokens=20)


def test_draining_writes_what_is_there() -> None:
    async def work(scribes: Scribes) -> None:
        begun = [asyncio.create_task(written(scribes, f"{WORDS} {n}")) for n in range(6)]
        await asyncio.sleep(0.05)
        draining = asyncio.create_task(scribes.drain(timeout=10))
        await asyncio.sleep(0)
        with pytest.raises(Draining):
            scribes.order([order(WORDS)])
        assert all(isinstance(one, dict) for one in await asyncio.gather(*begun))
        await draining

    run(work, settings={"pause": 0.01}, rows=2)


def test_nothing_is_lost_doubled_or_given_to_others_while_workers_are_killed() -> None:
    """A ledger of every text of every client, with workers killed again and again."""

    async def work(scribes: Scribes) -> None:
        draw = random.Random(3)
        ledger: dict[tuple[int, int], bool] = {}

        async def client(number: int) -> None:
            for turn in range(12):
                text = f"client{number} turn{turn} " + " ".join(
                    draw.choice("abcdefghij") for _ in range(draw.randrange(10, 60))
                )
                for _ in range(40):  # a text that two workers in a row are killed over ends so
                    found = await written(scribes, text)
                    if isinstance(found, dict):
                        break
                    assert isinstance(found, WorkerLost)
                assert isinstance(found, dict) and (number, turn) not in ledger
                ledger[number, turn] = True

        async def killer() -> None:
            while True:
                await asyncio.sleep(draw.uniform(0.3, 0.8))
                workers = scribes.crew.workers
                if all(worker.is_ready for worker in workers):  # so that some work gets done
                    os.kill(draw.choice(workers).pid, signal.SIGKILL)

        killing = asyncio.create_task(killer())
        await asyncio.gather(*(client(number) for number in range(8)))
        killing.cancel()
        assert len(ledger) == 8 * 12
        assert scribes.watch.restarts > 0 and not scribes._open

    run(work, workers=2, settings={"pause": 0.01}, rows=6)
