"""Loads: who asks when, what counts, and what is told of failures."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from itertools import pairwise, repeat
from statistics import mean, pstdev

import pytest

from manyheads.bench.load import ClosedLoop, Load, OpenLoop, Target, measure
from manyheads.bench.report import Report
from manyheads.bench.routes import Route
from manyheads.errors import ConfigError, ServiceError

from .scripted import reply, scripted

ITEM = {"tokens": 4, "truncated": 0, "vector": [1.0]}
ANSWER = reply(json.dumps({"items": [ITEM]}).encode())
FAILED_ITEM = {"tokens": 4, "truncated": 0, "error": {"type": "WorkerLost", "message": "twice"}}


def run(target: Target, load: Load, seconds: float, warmup: float = 0.0) -> Report:
    return asyncio.run(measure(target, repeat("a text"), load, seconds, warmup))


def dues(load: Load, seconds: float) -> list[float]:
    """When requests are due, from the begin; they take longer than the whole load."""

    async def asking() -> list[float]:
        begun, found = asyncio.get_running_loop().time(), []

        async def ask(due: float) -> None:
            found.append(due - begun)
            await asyncio.sleep(seconds)

        await load.run(ask, begun + seconds)
        return found

    return asyncio.run(asking())


def test_an_open_loop_is_a_poisson_process_that_waits_for_nobody() -> None:
    found = dues(OpenLoop(2000, seed=1), 1.0)
    gaps = [b - a for a, b in pairwise(found)]
    assert len(found) == pytest.approx(2000, rel=0.1)
    assert pstdev(gaps) == pytest.approx(mean(gaps), rel=0.1)  # as of an exponential distribution
    again = dues(OpenLoop(2000, seed=1), 0.1)
    assert again == pytest.approx(found[: len(again)], abs=1e-3)
    assert dues(OpenLoop(2000, seed=2), 0.1)[:5] != pytest.approx(found[:5], abs=1e-6)


def test_a_closed_loop_waits() -> None:
    assert len(dues(ClosedLoop(3), 0.2)) == 3


def test_no_pause_of_the_service_stays_hidden() -> None:
    """It stands still for half a second, once."""

    def pausing(number: int) -> bytes:
        if number == 20:
            pauses.append((time.monotonic(), time.monotonic() + 0.5))
        if pauses:
            time.sleep(max(0.0, pauses[0][1] - time.monotonic()))
        return ANSWER

    late = {}
    for load in (OpenLoop(100), ClosedLoop(1)):
        pauses: list[tuple[float, float]] = []
        with scripted(pausing) as server:
            report = run(Target(server.url), load, 1.5)
        assert pauses and not report.errors
        late[type(load)] = [one for one in report.latencies if one > 0.1]
    # All those that would have come in it, and not the one that did.
    assert len(late[OpenLoop]) > 20
    assert len(late[ClosedLoop]) < 5


def test_what_counts() -> None:
    """When requests are due is drawn from the seed, and a short pause of the machine is made up."""
    load, seconds = OpenLoop(200), 1.5
    with scripted(lambda _: ANSWER) as server:
        report = run(Target(server.url, texts=3), load, seconds, warmup=seconds)
        asked = len(server.requests)
        assert json.loads(server.requests[0].split(b"\r\n\r\n")[1]) == {"inputs": ["a text"] * 3}
    assert 0.3 * asked < report.sent < 0.7 * asked
    assert report.answered == report.sent
    assert report.items_a_second == pytest.approx(report.sent / seconds, rel=0.2)
    assert report.tokens_a_second == pytest.approx(4 * report.items_a_second)


def test_failures_are_told_by_their_kinds() -> None:
    """The first request is answered, the others are not."""
    nothing = reply(b"{}")
    said = {
        "status 429": reply(b'{"error": "too much"}', "429 Too Many Requests"),
        "nonsense": nothing,
        "connection": b"",
        "WorkerLost": reply(json.dumps({"items": [FAILED_ITEM]}).encode()),
    }
    for kind, failure in said.items():
        with scripted(lambda number, failure=failure: ANSWER if number == 1 else failure) as server:
            report = run(Target(server.url), OpenLoop(50), 0.3)
        assert set(report.errors) == {kind}
        assert report.errors[kind] == report.sent and report.answered == 0
        assert report.percentiles() == {} and report.items_a_second == 0
        assert kind in str(report)
    with scripted(lambda number: ANSWER if number == 1 else time.sleep(1) or ANSWER) as server:
        report = run(Target(server.url, timeout=0.1), OpenLoop(50), 0.2)
    assert set(report.errors) == {"TimeoutError"}


def test_without_a_first_answer_there_is_no_load() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ServiceError, match=f"{url}/v1/embed does not answer"):
            run(Target(url), ClosedLoop(1), 0.1)
    with scripted(lambda _: reply(b"no key", "401 Unauthorized")) as server:
        with pytest.raises(ServiceError, match=r"status 401: no key"):
            run(Target(server.url), ClosedLoop(1), 0.1)
        assert len(server.requests) == 1
        with pytest.raises(ConfigError, match="--model"):
            run(Target(server.url, Route.OPENAI), ClosedLoop(1), 0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: OpenLoop(0),
        lambda: ClosedLoop(0),
        lambda: Target("http://127.0.0.1", texts=0),
        lambda: Target("http://127.0.0.1", timeout=0),
        lambda: run(Target("http://127.0.0.1"), ClosedLoop(1), 0),
    ],
)
def test_loads_that_are_none(wrong) -> None:
    with pytest.raises(ConfigError):
        wrong()
