"""Every question ends, whatever happens to the processes that answer: they are really killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from array import array
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from manyheads.errors import (
    ConfigError,
    DeadlineExceeded,
    Draining,
    OutOfMemory,
    Overloaded,
    ServiceError,
    TextError,
    WorkerLost,
)
from manyheads.serve.batcher import Batcher
from manyheads.serve.crew import Crew
from manyheads.serve.items import Answer, Lane, Operation, Question
from manyheads.serve.process import WorkerProcess
from manyheads.serve.reception import Limits
from manyheads.serve.watch import Watch
from manyheads.text import Encoded, Piece

from .obedient import DIE, DIE_ONCE, ECHO, GREEDY, HANG, LOSES_ONE, REFUSED, SLOW

COMMAND = (sys.executable, str(Path(__file__).parent / "obedient.py"))
OPERATION = Operation("echo")


def question(order: int, *rest: int, operation: Operation = OPERATION) -> Question:
    ids = [order, *rest]
    piece = Piece(array("i", ids), array("B", [0] * len(ids)), None)
    return Question(operation, Encoded((piece,), len(ids), 0))


def ids_of(answer: Answer | ServiceError) -> list[int]:
    assert isinstance(answer, Answer), answer
    return answer.arrays[0].tolist()


def run(
    work: Callable[[Batcher], Awaitable[Any]],
    workers: int = 1,
    settings: dict[str, Any] | None = None,
    watch: Watch | None = None,
    **limits: Any,
) -> Any:
    """Run a test with a batcher that is started, and ended whatever happens."""

    async def main() -> Any:
        crew = Crew([WorkerProcess(settings or {}, COMMAND) for _ in range(workers)], watch)
        await crew.start()
        batcher = Batcher(crew, Limits(**limits))
        try:
            async with asyncio.timeout(120):
                return await work(batcher)
        finally:
            await batcher.drain(timeout=0)
            assert not any(worker.is_ready for worker in crew.workers)

    return asyncio.run(main())


def test_answers_come_in_the_order_of_the_questions() -> None:
    questions = [question(ECHO, *range(n % 7)) for n in range(50)]

    async def work(batcher: Batcher) -> None:
        answers = await batcher.ask(questions)
        assert [ids_of(one) for one in answers] == [[ECHO, *range(n % 7)] for n in range(50)]
        assert await batcher.ask([]) == []
        assert batcher.card["kind"] == "obedient"
        assert batcher.watch.items == 50 and batcher.watch.batches < 50

    run(work, batch_tokens=64)


def test_clients_share_batches_and_each_gets_its_own() -> None:
    async def work(batcher: Batcher) -> None:
        async def client(number: int) -> None:
            for turn in range(5):
                asked = [question(ECHO, number, turn, i) for i in range(3)]
                answers = await batcher.ask(asked)
                assert [ids_of(one) for one in answers] == [
                    [ECHO, number, turn, i] for i in range(3)
                ]

        await asyncio.gather(*(client(number) for number in range(16)))
        assert batcher.watch.items == 240
        assert batcher.watch.batches < 100

    run(work, workers=2, batch_tokens=200)


def test_a_worker_alone_has_all_threads() -> None:
    async def work(batcher: Batcher) -> None:
        (alone,) = await batcher.ask([question(ECHO)])
        assert isinstance(alone, Answer) and alone.said["threads"] == 4
        both = await batcher.ask([question(SLOW, *[0] * 20), question(SLOW, *[0] * 20)])
        assert sorted(one.said["threads"] for one in both) == [2, 4]

    run(work, workers=2, threads=4, batch_tokens=21)


@pytest.mark.parametrize("others", [0, 5])
def test_only_a_poisonous_item_is_lost_when_workers_die(others: int) -> None:
    async def work(batcher: Batcher) -> None:
        asked = [question(ECHO, n) for n in range(others)] + [question(DIE)]
        random.Random(0).shuffle(asked)
        answers = await batcher.ask(asked)
        for one, answer in zip(asked, answers, strict=True):
            ids = one.encoded.pieces[0].ids.tolist()
            if ids == [DIE]:
                assert isinstance(answer, WorkerLost)
                assert "was ended by signal 9 twice over this text" in str(answer)
            else:
                assert ids_of(answer) == ids
        assert ids_of((await batcher.ask([question(ECHO, 7)]))[0]) == [ECHO, 7]
        assert batcher.watch.restarts == 2
        assert batcher.watch.errors == {"WorkerLost": 1}

    run(work)


def test_an_innocent_item_is_answered_after_all(tmp_path: Path) -> None:
    async def work(batcher: Batcher) -> None:
        (answer,) = await batcher.ask([question(DIE_ONCE, 4)])
        assert ids_of(answer) == [DIE_ONCE, 4]
        assert batcher.watch.restarts == 1 and not batcher.watch.errors

    run(work, settings={"mark": str(tmp_path / "died")})


def test_a_worker_that_dies_between_batches_is_there_again() -> None:
    async def work(batcher: Batcher) -> None:
        first = batcher.crew.workers[0].pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        while batcher.watch.restarts == 0:
            await asyncio.sleep(0.01)
        assert batcher.is_ready and batcher.crew.workers[0].pid != first
        assert ids_of((await batcher.ask([question(ECHO, 1)]))[0]) == [ECHO, 1]

    run(work)


def test_a_worker_that_hangs_is_ended() -> None:
    async def work(batcher: Batcher) -> None:
        hanging, fine = await batcher.ask([question(HANG), question(ECHO, 2)])
        assert isinstance(hanging, WorkerLost) and "did not answer in 1 s" in str(hanging)
        assert ids_of(fine) == [ECHO, 2]

    run(work, patience=1.0)


def test_a_batch_is_halved_until_it_fits_into_memory() -> None:
    """Each text takes as many megabytes as it has tokens; the worker really has no more."""

    async def work(batcher: Batcher) -> None:
        asked = [question(GREEDY, *[0] * n) for n in (10, 20, 5, 3000, 30)]
        answers = await batcher.ask(asked)
        assert isinstance(answers[3], OutOfMemory) and "shorten the text" in str(answers[3])
        for at in (0, 1, 2, 4):
            assert len(ids_of(answers[at])) == asked[at].tokens
        assert batcher.watch.restarts == 0

    run(work, settings={"memory": 2000}, batch_tokens=10_000)


def test_an_item_that_the_model_refuses_does_not_take_others_with_it() -> None:
    async def work(batcher: Batcher) -> None:
        first, refused, last = await batcher.ask(
            [question(ECHO, 1), question(REFUSED), question(ECHO, 3)]
        )
        assert ids_of(first) == [ECHO, 1] and ids_of(last) == [ECHO, 3]
        assert isinstance(refused, TextError) and str(refused) == "a text that this model refuses"

    run(work)


def test_a_mistake_in_what_is_counted_lets_nobody_wait() -> None:
    class Careless(Watch):
        def done(self, items: int, tokens: int, seconds: float) -> None:
            if tokens == 3:
                raise ZeroDivisionError("a mistake")
            super().done(items, tokens, seconds)

    async def work(batcher: Batcher) -> None:
        (lost,) = await batcher.ask([question(ECHO, 1, 2)])
        assert isinstance(lost, WorkerLost) and "a mistake" in str(lost)
        (found,) = await batcher.ask([question(ECHO, 1)])
        assert ids_of(found) == [ECHO, 1]

    run(work, watch=Careless())


def test_answers_that_are_missing_are_nonsense() -> None:
    async def work(batcher: Batcher) -> None:
        (answer,) = await batcher.ask([question(LOSES_ONE)])
        assert isinstance(answer, WorkerLost) and "nonsense" in str(answer)
        assert ids_of((await batcher.ask([question(ECHO, 1)]))[0]) == [ECHO, 1]

    run(work)


def test_deadlines() -> None:
    async def work(batcher: Batcher) -> None:
        begun = time.perf_counter()
        late, fine = await batcher.ask([question(SLOW, *[0] * 99), question(ECHO, 1)], timeout=0.3)
        assert time.perf_counter() - begun < 0.9
        assert isinstance(late, DeadlineExceeded) and "0.3 s" in str(late)
        assert isinstance(fine, DeadlineExceeded)  # it was in the batch of the other
        assert ids_of((await batcher.ask([question(ECHO, 5)]))[0]) == [ECHO, 5]

    run(work)


def test_what_nobody_waits_for_is_not_done() -> None:
    async def work(batcher: Batcher) -> None:
        slow = asyncio.create_task(batcher.ask([question(SLOW, *[0] * 40)]))
        await asyncio.sleep(0.1)
        gone = asyncio.create_task(batcher.ask([question(ECHO, n) for n in range(20)]))
        await asyncio.sleep(0.05)
        gone.cancel()
        await slow
        assert ids_of((await batcher.ask([question(ECHO, 9)]))[0]) == [ECHO, 9]
        assert batcher.watch.items == 2 and batcher.queued_tokens == 0

    run(work)


def test_too_much_is_sent_away_at_once_with_a_time_to_come_back() -> None:
    async def work(batcher: Batcher) -> None:
        first = asyncio.create_task(batcher.ask([question(SLOW, *[0] * 30)] * 8))
        await asyncio.sleep(0.1)
        begun = time.perf_counter()
        with pytest.raises(Overloaded, match="tokens wait, and the limit is 100") as refused:
            await batcher.ask([question(ECHO)])
        assert time.perf_counter() - begun < 0.1 and refused.value.retry_after >= 1
        assert all(isinstance(one, Answer) for one in await first)
        assert ids_of((await batcher.ask([question(ECHO)]))[0]) == [ECHO]

    run(work, batch_tokens=40, queue_tokens=100)


def test_programs_keep_no_people_out() -> None:
    async def work(batcher: Batcher) -> None:
        programs = batcher.ask([question(SLOW, *[0] * 30)] * 8, lane=Lane.BULK)
        bulk = asyncio.create_task(programs)
        await asyncio.sleep(0.1)
        with pytest.raises(Overloaded, match="tokens wait, and the limit is 100"):
            await batcher.ask([question(ECHO)], lane=Lane.BULK)
        assert ids_of((await batcher.ask([question(ECHO, 7)]))[0]) == [ECHO, 7]
        people = asyncio.create_task(batcher.ask([question(SLOW, *[0] * 30)] * 8))
        await asyncio.sleep(0.1)
        with pytest.raises(Overloaded):
            await batcher.ask([question(ECHO)])
        bulk.cancel()
        people.cancel()

    run(work, batch_tokens=40, queue_tokens=100)


def test_people_do_not_wait_for_programs() -> None:
    async def work(batcher: Batcher) -> None:
        programs = batcher.ask([question(SLOW, *[0] * 9)] * 30, lane=Lane.BULK)
        bulk = asyncio.create_task(programs)
        await asyncio.sleep(0.2)
        begun = time.perf_counter()
        await batcher.ask([question(ECHO)])
        assert time.perf_counter() - begun < 1.0
        assert not bulk.done()
        await bulk

    run(work, batch_tokens=10)


def test_draining_answers_all_that_is_there_and_takes_nothing_new() -> None:
    async def work(batcher: Batcher) -> None:
        asked = asyncio.create_task(batcher.ask([question(SLOW, *[0] * 9)] * 10))
        await asyncio.sleep(0.05)
        draining = asyncio.create_task(batcher.drain())
        await asyncio.sleep(0.05)
        assert not batcher.is_ready
        with pytest.raises(Draining):
            await batcher.ask([question(ECHO)])
        assert all(isinstance(one, Answer) for one in await asked)
        await draining

    run(work, batch_tokens=10)


def test_draining_in_a_hurry_tells_those_who_wait() -> None:
    async def work(batcher: Batcher) -> None:
        asked = asyncio.create_task(batcher.ask([question(SLOW, *[0] * 99)] * 3))
        await asyncio.sleep(0.1)
        await batcher.drain(timeout=0.1)
        assert all(isinstance(one, Draining) for one in await asked)

    run(work, batch_tokens=10)


def test_a_model_that_is_refused_is_refused_at_the_start() -> None:
    async def nothing(batcher: Batcher) -> None: ...

    with pytest.raises(ConfigError, match="no such model"):
        run(nothing, workers=2, settings={"refuse": "no such model"})
    with pytest.raises(WorkerLost, match="ended with exit code 3"):
        run(nothing, settings={"die": True})


def test_where_no_worker_starts_any_more_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(batcher: Batcher) -> None:
        worker = batcher.crew.workers[0]
        worker._line = (*worker._line[:-1], '{"refuse": "the folder is gone"}')
        waiting = asyncio.create_task(batcher.ask([question(DIE)]))
        (answer,) = await waiting
        assert isinstance(answer, WorkerLost) and "the folder is gone" in str(answer)
        with pytest.raises(WorkerLost, match="no worker starts"):
            await batcher.ask([question(ECHO)])
        assert not batcher.is_ready
        worker._line = (*worker._line[:-1], "{}")  # somebody has mended it
        while not batcher.is_ready:
            await asyncio.sleep(0.05)
        assert ids_of((await batcher.ask([question(ECHO, 3)]))[0]) == [ECHO, 3]

    run(work)


def test_nothing_is_lost_doubled_or_mixed_up_while_workers_are_killed() -> None:
    """A ledger of all that is asked, with clients that come and go, and a killer."""

    async def work(batcher: Batcher) -> None:
        chance = random.Random(1)
        ledger: dict[tuple[int, int], str] = {}

        async def client(number: int) -> None:
            for turn in range(20):
                orders = chance.choices((ECHO, SLOW), (19, 1), k=chance.randint(1, 6))
                asked = [question(order, number, turn, i) for i, order in enumerate(orders)]
                task = asyncio.create_task(batcher.ask(asked))
                if chance.random() < 0.1:
                    await asyncio.sleep(0.001)
                    task.cancel()
                    ledger[number, turn] = "gone"
                    continue
                for i, answer in enumerate(await task):
                    if isinstance(answer, Answer):
                        assert ids_of(answer) == [orders[i], number, turn, i]
                    else:
                        assert isinstance(answer, WorkerLost)
                assert (number, turn) not in ledger
                ledger[number, turn] = "answered"

        async def killer() -> None:
            while True:
                await asyncio.sleep(chance.uniform(0.05, 0.4))
                workers = batcher.crew.workers
                if all(worker.is_ready for worker in workers):  # so that some work gets done
                    os.kill(chance.choice(workers).pid, signal.SIGKILL)

        killing = asyncio.create_task(killer())
        await asyncio.gather(*(client(number) for number in range(24)))
        killing.cancel()
        assert len(ledger) == 24 * 20
        assert batcher.watch.restarts > 0 and not batcher._open

    run(work, workers=2, batch_tokens=60)


def test_a_worker_ends_with_its_service() -> None:
    """Also in the middle of a batch, and when the service is killed."""

    async def main() -> int:
        worker = WorkerProcess({}, COMMAND)
        await worker.start()
        assert worker._process is not None and worker._process.stdin is not None
        task = asyncio.create_task(worker.answer([question(SLOW, *[0] * 3000)], 1, 100.0))
        await asyncio.sleep(0.1)
        worker._process.stdin.close()  # as the system does for a process that is killed
        begun = time.perf_counter()
        with pytest.raises(WorkerLost):
            await task
        assert time.perf_counter() - begun < 10
        return 0

    asyncio.run(main())
