"""A process that holds a model and answers: `python -m manyheads.serve.worker SETTINGS`.

    service ── batch ──→ stdin ─→ desk ─→ stdout ── answers ──→ service

Settings are a JSON object. Whatever the model's code prints goes to stderr. A worker whose service
is gone ends itself, whatever it does just then.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO, Protocol

from manyheads.errors import ManyHeadsError
from manyheads.serve.frames import Frame, read_frame
from manyheads.serve.items import Answer
from manyheads.serve.messages import answers_frame, encoded_of
from manyheads.text import Encoded

# What torch says, in no type of its own, where memory runs out.
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


class Desk(Protocol):
    """A model at work, with a card that says what it is."""

    card: dict[str, Any]

    def answer(
        self, operation: str, settings: dict[str, Any], texts: list[Encoded], threads: int
    ) -> list[Answer]:
        """Return an answer for each text, by so many threads."""


def main(open_desk: Callable[..., Desk] | None = None) -> None:
    """Answer until there is nobody to answer to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what it means is the service's to say
    settings = json.loads(sys.argv[1])
    source, target = _own_pipes()
    frames = _incoming(source)
    try:
        _limit_memory(settings.pop("memory", None))
        if open_desk is None:
            from manyheads.serve.desk import open_desk
        desk = open_desk(**settings)
    except ManyHeadsError as error:
        _send(target, Frame({"say": "refused", "error": type(error).__name__, "why": str(error)}))
        return
    _send(target, Frame({"say": "ready", "card": desk.card}))
    while True:
        _send(target, _answered(desk, frames.get()))


def _answered(desk: Desk, frame: Frame) -> Frame:
    """Return the answers to a batch, or what went wrong with it as a whole."""
    head = frame.head
    try:
        texts = encoded_of(frame)
        return answers_frame(desk.answer(head["do"], head["settings"], texts, head["threads"]))
    except Exception as error:
        return Frame({"say": _kind(error), "why": _told(error)})


def _kind(error: Exception) -> str:
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        return "no memory"
    return "refused" if isinstance(error, ManyHeadsError) else "failed"


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, ManyHeadsError) else f"{type(error).__name__}: {error}"


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return what stdin and stdout were.

    From now on nothing is read from stdin, and all that is printed goes to stderr.
    """
    source, target = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return source, target


def _send(target: BinaryIO, frame: Frame) -> None:
    target.write(frame.to_bytes())
    target.flush()


def _incoming(source: BinaryIO) -> SimpleQueue[Frame]:
    """Return a queue of messages; when there will be no more, the process ends."""
    frames: SimpleQueue[Frame] = SimpleQueue()

    def read() -> None:
        while (frame := read_frame(source)) is not None:
            frames.put(frame)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return frames


def _limit_memory(megabytes: int | None) -> None:
    """Let allocations fail beyond a limit, instead of the system ending the process."""
    if megabytes is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))


if __name__ == "__main__":
    main()
