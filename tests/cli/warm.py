"""`manyheads` processes that begin warm: each is forked from one that has imported what all need.

Importing takes a process longer than most commands do, and the tests start hundreds of them. What
a command imports by itself, and how long that takes, is tested in processes that begin cold.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

NEEDED = (
    *("torch", "numpy", "pyarrow", "tokenizers", "safetensors.torch", "pydantic", "rich.progress"),
    *(
        "sklearn.feature_extraction.text",
        "sklearn.linear_model",
        "sklearn.metrics",
        "sklearn.isotonic",
    ),
    *("scipy.stats", "matplotlib.backends.backend_agg", "matplotlib.pyplot", "cleanlab.filter"),
    *("huggingface_hub.repocard_data", "PIL.Image", "manyheads.cli", "manyheads.train"),
    *("manyheads.predict", "manyheads.library", "manyheads.writer", "manyheads.data"),
)

LONGEST = 300  # seconds that a command may take


class Warm:
    """A process that forks one for each command; usable in a `with` statement."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(environment),
            text=True,
        )

    def run(
        self, arguments: list[str], cwd: Path | None, stdin: bytes, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run `manyheads` with arguments; return how it ended and what it wrote."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "stdin").write_bytes(stdin)
            order = {
                "arguments": arguments,
                "cwd": str(cwd or Path.cwd()),
                "folder": name,
                "environment": dict(environment),
            }
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
            assert answer, "the process that forks others is gone"
            written = [(folder / stream).read_bytes().decode() for stream in ("stdout", "stderr")]
        return subprocess.CompletedProcess(arguments, int(answer), *written)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


def serve() -> None:
    """Fork a process for each line of the input; a line of the output says how it ended."""
    # Of its own, so that no command finds anything in the streams but what it is given.
    orders = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    for stream, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY)):
        os.dup2(os.open(os.devnull, flags), stream)
    for module in NEEDED:
        if find_spec(module.partition(".")[0]) is not None:
            with warnings.catch_warnings():  # cleanlab silences all from then on
                import_module(module)
    gc.freeze()  # what all share is not to be looked through, and copied, by each
    for line in orders:
        child = os.fork()
        if not child:
            orders.close()
            answers.close()
            _leave(_become(json.loads(line)))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _become(order: dict[str, Any]) -> int:
    """Be the command of an order; return its exit status."""
    signal.alarm(LONGEST)
    folder = Path(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["cwd"])
    created = os.O_WRONLY | os.O_CREAT
    for stream, name, flags in (
        (0, "stdin", os.O_RDONLY),
        (1, "stdout", created),
        (2, "stderr", created),
    ):
        os.dup2(os.open(folder / name, flags, 0o600), stream)
    sys.argv = ["manyheads", *order["arguments"]]
    try:
        runpy.run_module("manyheads", run_name="__main__", alter_sys=True)
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _leave(status: int) -> None:
    """End as Python does, but leave it to the system to free all that is there: that is slow."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    serve()
