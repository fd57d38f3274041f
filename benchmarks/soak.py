"""Does a service keep its memory? Load on a real server for minutes, all of its processes watched.

    python benchmarks/soak.py [--minutes 30] [--rate 30]

After a fifth of the time, which is its warm-up, the mean of the first samples of resident memory is
compared with that of the last: more than 3 % up or down is a failure, and so is any request that
was not answered. The load has texts of all lengths, English and Chinese, at random times.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from servers import ENVIRONMENT, start

WARMUP = 0.2  # of the time
ENDS = 0.1  # of the samples after it, at either end
ALLOWED = 0.03
LINES = 12  # of the table


def processes(front: int) -> dict[str, int]:
    """Return the processes of a server by their names: its front, and its workers."""
    children = Path(f"/proc/{front}/task/{front}/children").read_text().split()
    return {"front": front} | {f"worker {i}": int(pid) for i, pid in enumerate(children, 1)}


def resident(pid: int) -> float:
    """Return the resident memory of a process in megabytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def change(samples: Sequence[float]) -> tuple[float, float, float]:
    """Return means of the first and the last samples after warm-up, and how much it grew."""
    settled = samples[int(WARMUP * len(samples)) :]
    size = max(1, int(ENDS * len(settled)))
    first, last = mean(settled[:size]), mean(settled[-size:])
    return first, last, last / first - 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=30, help="requests a second")
    options = parser.parse_args()
    seconds = options.minutes * 60
    server = start("manyheads")
    try:
        with server.working():
            pids = processes(server.process.pid)
            load = subprocess.Popen(
                _load_command(f"http://127.0.0.1:{server.port}", options.rate, seconds),
                env=ENVIRONMENT,
                stdout=subprocess.PIPE,
            )
            samples = _watch(pids, load, seconds)
            report = json.loads(load.communicate()[0])
    finally:
        server.end()
    latency = ", ".join(
        f"{name} {value * 1000:.1f} ms" for name, value in report["latency"].items()
    )
    print(f"{report['answered']:,} of {report['sent']:,} requests answered; {latency}")
    print(f"{'':12}{'first MB':>10}{'last MB':>10}{'change':>9}")
    worst = 0.0
    for name, found in samples.items():
        first, last, grown = change(found)
        worst = max(worst, abs(grown))
        print(f"{name:12}{first:10.1f}{last:10.1f}{grown:+9.2%}")
    if worst > ALLOWED or report["errors"]:
        raise SystemExit(f"not kept: {worst:.1%} of change, errors {report['errors']}")


def _load_command(url: str, rate: float, seconds: float) -> list[str]:
    command = [sys.executable, "-m", "manyheads", "bench", "serve", url, "--rate", str(rate)]
    return [*command, "--seconds", str(seconds), "--warmup", "0", "--json"]


def _watch(
    pids: dict[str, int], load: subprocess.Popen[bytes], seconds: float
) -> dict[str, list[float]]:
    """Return samples of memory as long as there is load; prints some of them as they come."""
    samples: dict[str, list[float]] = {name: [] for name in pids}
    pause = max(0.2, seconds / 600)
    print(f"{'minute':>8}" + "".join(f"{name + ' MB':>14}" for name in pids), flush=True)
    begun, printed = time.monotonic(), -1
    while load.poll() is None:
        for name, pid in pids.items():
            samples[name].append(resident(pid))
        passed = time.monotonic() - begun
        if int(passed / seconds * LINES) > printed:
            printed = int(passed / seconds * LINES)
            row = "".join(f"{found[-1]:14.1f}" for found in samples.values())
            print(f"{passed / 60:8.1f}{row}", flush=True)
        time.sleep(pause)
    return samples


if __name__ == "__main__":
    main()
