"""What commands have in common when they answer or fail: stdout, stderr, JSON, exit codes."""

from __future__ import annotations

import io
import json
import math
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import typer

from manyheads.errors import ManyHeadsError

MENDABLE = 2  # what the user can mend, as shells and argument parsers have it
INTERRUPTED = 130  # 128 + SIGINT

# What typer raises for a command line that it does not understand.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]


class Interrupted(Exception):  # noqa: N818 - reads as what happened
    """Ctrl-C, with what the user may do next as its message."""


def show(text: object, document: object, as_json: bool) -> None:
    """Write the result of a command to stdout: for a person, or as one JSON document."""
    write(to_json(document) if as_json else f"{text}\n")


def write(text: str) -> None:
    """Write to stdout at once; ends the process quietly where nobody reads any more."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def notice(message: str, quiet: bool = False) -> None:
    """Write a line for a person to stderr."""
    if not quiet:
        print(message, file=sys.stderr, flush=True)


def to_json(value: Any) -> str:
    """Return a document of JSON, with its last line ended."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """Return a value as JSON has it: numbers that are none become null, tuples become lists."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | None) else str(value)


def exit_code_of(command: Callable[..., Any]) -> int:
    """Run a command; return its exit code, with every failure of the user's said in one line."""
    _speak_plainly()
    try:
        code = command(prog_name="manyheads", standalone_mode=False)
    except (Interrupted, KeyboardInterrupt, typer.Abort) as stop:
        return _complain(f"interrupted{'; ' if str(stop) else ''}{stop}", INTERRUPTED)
    except UsageError as error:
        message = error.format_message().rstrip(".")  # type: ignore[attr-defined]
        return _complain(f"{message}; --help shows what there is")
    except ManyHeadsError as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(f"{error.filename or 'the system'}: {error.strerror or error}")
    if code == INTERRUPTED:  # what typer makes of Ctrl-C
        return _complain("interrupted", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _complain(message: str, code: int = MENDABLE) -> int:
    """Write the one line that says what is wrong; return the exit code for it."""
    notice(f"manyheads: {' '.join(message.split())}")
    return code


def _speak_plainly() -> None:
    """Make stdout and stderr take every text, and a warning one line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    warnings.showwarning = lambda message, *_: notice(f"warning: {message}")
