"""A real server in a real process."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests import tiny


class Server:
    """`manyheads serve`, at an address of its own."""

    def __init__(self, process: subprocess.Popen[str], url: str, said: list[str]) -> None:
        self.process = process
        self.url = url
        self.said = said  # on stderr, before it answered

    def end(self) -> int:
        """End it as an operator does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def serving(*models: str | Path, options: Sequence[str] = ()) -> Iterator[Server]:
    """Serve models, and end the server whatever happens."""
    command = (sys.executable, "-m", "manyheads", "serve", *map(str, models), "--port", "0")
    process = subprocess.Popen(
        (*command, "--workers", "1", *options),
        env=tiny.ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            if line.startswith("answers at "):
                yield Server(process, line.split()[-1], said)
                return
        raise AssertionError("".join(said))
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
