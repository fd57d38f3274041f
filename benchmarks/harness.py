"""Compare engines fairly: each in a process of its own, round by round in turn.

Thread pools that share a process spoil each other, so each engine gets one to itself, with the same
number of threads; only one of them works at any time. A slow moment of the machine then meets
all engines alike, and the median over the rounds of the ratio within a round is what counts.

A benchmark is a script that ends in `compare(engines)`: the script starts itself again, once for
each engine. An engine is a function without arguments that loads what it needs and returns the
function to be timed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import IO, Any

import numpy as np

Work = Callable[[], np.ndarray]
Engine = Callable[[], Work]


@dataclass
class Contestant:
    """An engine in its process, and what was measured of it."""

    name: str
    process: subprocess.Popen[str]
    result: np.ndarray
    seconds: list[float] = field(default_factory=list)
    peak_megabytes: float = 0.0

    def run(self) -> None:
        """Let the engine do its work once and note how long it took."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = _read(self.process)
        self.seconds.append(answer["seconds"])
        self.peak_megabytes = answer["peak_megabytes"]

    def times(self, ours: Contestant) -> float:
        """Return how many times as long as ours it took: the median over the rounds."""
        return median(
            theirs / mine for theirs, mine in zip(self.seconds, ours.seconds, strict=True)
        )


def compare(engines: Mapping[str, Engine], job: str = "") -> list[Contestant]:
    """Measure all engines, the first one being ours, print the ratios, and return everything.

    In a process that was started for one engine, serve that engine instead and exit. A script with
    several jobs names the one it is at: it is then given as the first argument.
    """
    options = _options(engines, job)
    if options.engine:
        _serve(engines[options.engine], options.result)
        sys.exit()
    environment = os.environ | {
        "OMP_NUM_THREADS": str(options.threads),
        "MKL_NUM_THREADS": str(options.threads),
        "TOKENIZERS_PARALLELISM": "true",
        "RAYON_NUM_THREADS": str(options.threads),
    }
    contestants = [_start(name, environment, job) for name in options.engines]
    for number in range(options.rounds):
        start = number % len(contestants)
        for contestant in contestants[start:] + contestants[:start]:
            contestant.run()
        _progress(f"round {number + 1} of {options.rounds}")
    for contestant in contestants:
        contestant.process.terminate()
    _print_table(contestants)
    return contestants


def threads() -> int:
    """The number of threads that every engine may use."""
    return int(os.environ["OMP_NUM_THREADS"])


def precisions() -> tuple[str, ...]:
    """The number formats that training can be compared in on this processor."""
    from manyheads.core.machine import multiplies_bfloat16

    return ("float32", "bfloat16") if multiplies_bfloat16() else ("float32",)


def print_ratios(contestants: list[Contestant], target: float) -> None:
    """Print how many times as fast as its opponent ours is, for each pair of the two."""
    for ours, theirs in zip(contestants[::2], contestants[1::2], strict=True):
        ratio = theirs.times(ours)
        reached = "reached" if ratio >= target else "missed"
        print(f"{ours.name}: {ratio:.2f}× {theirs.name}, meant to reach {target}×: {reached}")


def _options(engines: Mapping[str, Engine], job: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    if job:
        parser.add_argument("job")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--engines", nargs="+", choices=engines, default=list(engines))
    parser.add_argument("--engine", choices=engines, help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _start(name: str, environment: Mapping[str, str], job: str) -> Contestant:
    """Start an engine and let it warm up."""
    _progress(f"starting {name}")
    script = [sys.argv[0], job] if job else [sys.argv[0]]
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.npy"
        process = subprocess.Popen(
            [sys.executable, *script, "--engine", name, "--result", str(result)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        _read(process)
        return Contestant(name, process, np.load(result))


def _read(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"an engine stopped: {' '.join(map(str, process.args))}")  # type: ignore[arg-type]
    return json.loads(line)


def _serve(engine: Engine, result: Path) -> None:
    """Work once to warm up and keep the result; then once for each line of the input."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not get among the answers
    work = engine()
    np.save(result, work())
    _answer(answers, 0.0)
    for _ in sys.stdin:
        start = time.perf_counter()
        work()
        _answer(answers, time.perf_counter() - start)


def _answer(answers: IO[str], seconds: float) -> None:
    print(json.dumps({"seconds": seconds, "peak_megabytes": _peak_megabytes()}), file=answers)
    answers.flush()


def _peak_megabytes() -> float:
    """The most memory that this process ever held."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1024**2


def _print_table(contestants: list[Contestant]) -> None:
    ours = contestants[0]
    print(f"{'engine':24}{'seconds':>9}{'best':>8}{'ours is':>10}{'peak MB':>9}")
    for one in contestants:
        print(
            f"{one.name:24}{median(one.seconds):9.3f}{min(one.seconds):8.3f}"
            f"{one.times(ours):9.2f}×{one.peak_megabytes:9.0f}"
        )


def _progress(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
