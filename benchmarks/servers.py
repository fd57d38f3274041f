"""Servers of all-MiniLM-L6-v2 that take turns, and load on them from a process of its own.

All servers stay in memory; those whose turn it is not are stopped by a signal, so that they use no
core. They get the same number of threads, answer the same route, and compute in float32.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encode import MAX_TOKENS, MODEL, in_package, mixed_texts

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "benchmarks"
TEXTS = BUILD / "texts.txt"
OPPONENTS = Path(os.environ.get("SERVE_OPPONENTS", ROOT / ".venv-bench-serve"))
CORES = os.cpu_count() or 1
PATIENCE = 300.0  # seconds until a server must be ready
ENVIRONMENT = os.environ | {
    "OMP_NUM_THREADS": str(CORES),
    "MKL_NUM_THREADS": str(CORES),
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "INFINITY_ANONYMOUS_USAGE_STATS": "0",
}


def write_texts() -> None:
    """Write whole reviews and single sentences, one in a line, that the model reads in full."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(in_package(MODEL, "model/tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    lines = [" ".join(text.split()) for text in mixed_texts()]
    kept = [line for line in lines if line and len(tokenizer.encode(line).ids) <= MAX_TOKENS]
    TEXTS.parent.mkdir(parents=True, exist_ok=True)
    TEXTS.write_text("\n".join(kept), encoding="utf-8")


@dataclass
class Server:
    """A server in a process of its own, with those that it starts."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    seconds_to_ready: float

    def load(self, *options: object) -> dict[str, Any]:
        """Return the report of `manyheads bench serve`, which runs in another process."""
        target = (f"http://127.0.0.1:{self.port}", "--route", "/v1/embeddings", "--model", "minilm")
        command = (sys.executable, "-m", "manyheads", "bench", "serve", *target, "--file", TEXTS)
        with self.working():
            done = subprocess.run(
                [str(part) for part in (*command, "--json", *options)],
                env=ENVIRONMENT,
                stdout=subprocess.PIPE,
                check=True,
            )
        report = json.loads(done.stdout)
        if report["errors"]:
            print(f"{self.name}: {report['errors']} {report['said']}", file=sys.stderr)
        return report

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let it work, as long as this lasts."""
        os.killpg(self.process.pid, signal.SIGCONT)
        try:
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGSTOP)

    def end(self) -> None:
        """End it, and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def manyheads(port: int) -> list[str]:
    command = [sys.executable, "-m", "manyheads", "serve", f"minilm=package:{MODEL}/model"]
    return [*command, "--port", str(port), "--quiet"]


def infinity(port: int) -> list[str]:
    """As its makers advise for CPUs: torch, BetterTransformer, batches of 32 by length."""
    command = [str(OPPONENTS / "bin" / "infinity_emb"), "v2", "--served-model-name", "minilm"]
    model = ["--model-id", str(in_package(MODEL, "model")), "--dtype", "float32"]
    how = ["--engine", "torch", "--device", "cpu", "--url-prefix", "/v1", "--port", str(port)]
    return [*command, *model, *how, "--host", "127.0.0.1", "--log-level", "warning"]


def one_by_one(port: int) -> list[str]:
    return [sys.executable, str(Path(__file__).parent / "one_by_one.py"), str(port)]


COMMANDS = {"manyheads": manyheads, "infinity": infinity, "FastAPI, one by one": one_by_one}
READY = {"manyheads": "/readyz", "infinity": "/health", "FastAPI, one by one": "/health"}


def start(name: str, *options: str) -> Server:
    """Start a server and wait until it can be asked; then let it stand still."""
    print(f"starting {name}", file=sys.stderr, flush=True)
    port = free_port()
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*COMMANDS[name](port), *options],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if name != "manyheads" else None,
        start_new_session=True,
    )
    server = Server(name, process, port, 0.0)
    while not _is_ready(port, READY[name]):
        if process.poll() is not None or time.perf_counter() - begun > PATIENCE:
            server.end()
            raise SystemExit(f"{name} does not start: {' '.join(map(str, process.args))}")  # type: ignore[arg-type]
        time.sleep(0.02)
    server.seconds_to_ready = time.perf_counter() - begun
    os.killpg(process.pid, signal.SIGSTOP)
    return server


@contextmanager
def started(names: Sequence[str]) -> Iterator[list[Server]]:
    """Start servers one after the other and warm them up; end all of them whatever happens."""
    servers: list[Server] = []
    try:
        for name in names:
            servers.append(start(name))
            servers[-1].load("--clients", 8, "--seconds", 5, "--warmup", 0)
        yield servers
    finally:
        for server in servers:
            server.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _is_ready(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
