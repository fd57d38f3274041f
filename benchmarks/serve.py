"""A service of all-MiniLM-L6-v2 beside others: same weights, float32, same cores, same texts.

    python benchmarks/serve.py throughput    32 clients that ask for one text at a time
    python benchmarks/serve.py latency       p99 at half of what the slowest and ours can do
    python benchmarks/serve.py idle          one client alone, beside the call in a process
    python benchmarks/serve.py start         from the start of a process until it is ready
    python benchmarks/serve.py zeromq        bert-serving-client beside HTTP

Servers take turns, and only one of them works at any time; the load comes from another process. It
shares the cores with the server, so that what asking costs is part of all results alike.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

from servers import (
    CORES,
    ENVIRONMENT,
    MODEL,
    PATIENCE,
    TEXTS,
    Server,
    free_port,
    start,
    started,
    write_texts,
)

NAMES = ("manyheads", "infinity", "FastAPI, one by one")
CLIENTS = 32
ROUNDS = 5
BARE = "bare call"


def throughput() -> None:
    """Compare how many texts a second 32 clients are answered."""
    with started(NAMES) as servers:
        rates = capacities(servers, ROUNDS, seconds=6)
    ours = rates["manyheads"]
    print(f"{'server':24}{'texts/s':>9}{'best':>8}{'ours is':>10}")
    for name, found in rates.items():
        times = median(mine / theirs for mine, theirs in zip(ours, found, strict=True))
        print(f"{name:24}{median(found):9.1f}{max(found):8.1f}{times:9.2f}×")


def latency() -> None:
    """Compare the latencies of requests that come at random, counted from when they are due."""
    with started(NAMES) as servers:
        capacity = {name: median(found) for name, found in capacities(servers, 3, 4).items()}
        rates = {
            "half of what the slowest can do": min(capacity.values()) / 2,
            "half of what manyheads can do": capacity["manyheads"] / 2,
        }
        for what, rate in rates.items():
            print(f"{what}: {rate:.1f} texts/s")
            found = in_turns(
                servers, 3, lambda one, rate=rate: one.load("--rate", rate, "--seconds", 15)
            )
            print(f"{'server':24}{'p50 ms':>9}{'p90':>9}{'p99':>9}{'max':>9}{'p99, ours is':>15}")
            ours = [one["latency"]["p99"] for one in found["manyheads"]]
            for name, reports in found.items():
                shown = [
                    median(one["latency"][key] for one in reports) * 1000
                    for key in ("p50", "p90", "p99", "max")
                ]
                theirs = [one["latency"]["p99"] for one in reports]
                share = median(mine / other for mine, other in zip(ours, theirs, strict=True))
                print(f"{name:24}{''.join(f'{one:9.1f}' for one in shown)}{share:14.2f}×")


def idle() -> None:
    """Compare what one client waits for a text with the call in a process."""
    with started(NAMES) as servers, bare_call() as ask_bare:
        p50s: dict[str, list[float]] = {BARE: [], **{one.name: [] for one in servers}}
        for _ in range(ROUNDS):
            p50s[BARE].append(ask_bare())
            for one in servers:
                report = one.load("--clients", 1, "--seconds", 4, "--warmup", 1)
                p50s[one.name].append(report["latency"]["p50"])
    print(f"{'':24}{'p50 ms':>9}{'× bare':>9}{'ms more':>9}")
    for name, found in p50s.items():
        times = median(a / b for a, b in zip(found, p50s[BARE], strict=True))
        more = median(a - b for a, b in zip(found, p50s[BARE], strict=True)) * 1000
        print(f"{name:24}{median(found) * 1000:9.2f}{times:9.2f}{more:9.2f}")


def start_to_ready() -> None:
    """Compare the seconds until servers take questions; the first round warms the disk's cache."""
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    for _ in range(4):
        for name in NAMES:
            server = start(name)
            server.end()
            found[name].append(server.seconds_to_ready)
    for name, seconds in found.items():
        print(f"{name:24}{median(seconds[1:]):8.2f} s{seconds[0]:8.2f} s the first time")


def zeromq() -> None:
    """Compare what clients wait who ask for the same layers over ZeroMQ and over HTTP."""
    from bert_serving.client import BertClient

    ports = free_port(), free_port()
    wires = ("--zmq-port", str(ports[0]), "--zmq-port-out", str(ports[1]))
    server = start("manyheads", *wires, "--max-seq-len", "NONE", "--pooling-layer", "-1")
    lines = TEXTS.read_text(encoding="utf-8").split("\n")
    try:
        with server.working(), BertClient(port=ports[0], port_out=ports[1]) as client:
            encode = http_encode(server.port)
            for size in (1, 64):
                groups = [lines[at : at + size] for at in range(0, len(lines) - size, size)]
                found: dict[str, list[float]] = {"HTTP": [], "ZeroMQ": []}
                turns = [("HTTP", encode), ("ZeroMQ", client.encode)]
                for group in groups[:300] * 2:
                    for name, ask in turns:
                        begun = time.perf_counter()
                        ask(group)
                        found[name].append(time.perf_counter() - begun)
                    turns.reverse()
                milliseconds = {name: median(times) * 1000 for name, times in found.items()}
                told = "   ".join(f"{name} {one:.2f} ms" for name, one in milliseconds.items())
                pairs = zip(found["ZeroMQ"], found["HTTP"], strict=True)
                more = median(one - other for one, other in pairs) * 1000
                print(f"{size:3} texts in a request: p50 {told}, of a pair {more:+.2f} ms")
    finally:
        server.end()


def http_encode(port: int) -> Callable[[list[str]], list[list[float]]]:
    """Return what asks over one kept connection, with nothing but the standard library."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def encode(texts: list[str]) -> list[list[float]]:
        body = json.dumps({"texts": texts})
        connection.request("POST", "/encode", body, {"Content-Type": "application/json"})
        return json.load(connection.getresponse())["results"]

    return encode


def capacities(servers: list[Server], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return how many texts a second each server answered, by rounds."""
    options = ("--clients", CLIENTS, "--seconds", seconds, "--warmup", 1)
    found = in_turns(servers, rounds, lambda one: one.load(*options))
    return {name: [one["items_per_second"] for one in reports] for name, reports in found.items()}


def in_turns(
    servers: list[Server], rounds: int, measured: Callable[[Server], dict]
) -> dict[str, list[dict]]:
    """Return reports by the names of servers; each round begins with another one."""
    found: dict[str, list[dict]] = {one.name: [] for one in servers}
    for number in range(rounds):
        begin = number % len(servers)
        for one in servers[begin:] + servers[:begin]:
            found[one.name].append(measured(one))
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return found


@contextmanager
def bare_call() -> Iterator[Callable[[], float]]:
    """Start a process with the model alone; what is yielded returns the p50 of its calls."""
    process = subprocess.Popen(
        [sys.executable, __file__, BARE],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None

    def ask() -> float:
        process.stdin.write("\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    try:
        ask()
        yield ask
    finally:
        process.kill()
        process.wait()


def serve_bare_call() -> None:
    """For each line of the input, embed texts one by one for seconds; print the median."""
    import torch

    import manyheads as mh
    from manyheads.bench.texts import from_file, shuffled

    torch.set_num_threads(CORES)
    embedder = mh.load(f"package:{MODEL}/model")
    for _ in sys.stdin:
        texts, times = shuffled(from_file(TEXTS), seed=0), []
        until = time.perf_counter() + 4
        while (begun := time.perf_counter()) < until:
            embedder([next(texts)])
            times.append(time.perf_counter() - begun)
        print(median(times), flush=True)


JOBS = {
    "throughput": throughput,
    "latency": latency,
    "idle": idle,
    "start": start_to_ready,
    "zeromq": zeromq,
}


def main(job: str) -> None:
    """Do one of the jobs."""
    if job == BARE:
        serve_bare_call()
        return
    write_texts()
    print(f"{os.cpu_count()} cores")
    JOBS[job]()


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in (*JOBS, BARE):
        raise SystemExit(f"python {sys.argv[0]} {' | '.join(JOBS)}")
    main(sys.argv[1])
