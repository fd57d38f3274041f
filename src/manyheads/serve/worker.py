"""A process that holds a model and answers: `python -m manyheads.serve.worker SETTINGS`.

    service ── batch ──→ stdin ─→ desk ─→ stdout ── answers ──→ service

Settings are a JSON object. Whatever the model's code prints goes to stderr. A worker whose service
is gone ends itself, whatever it does just then.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

from manyheads.errors import ManyHeadsError, ServiceError, is_out_of_memory
from manyheads.serve.frames import Frame, read_frame
from manyheads.serve.items import Answer, Question
from manyheads.serve.messages import answers_frame, questions_of


class Desk(Protocol):
    """A model at work, with a card that says what it is."""

    card: dict[str, Any]


@runtime_checkable
class AnsweringDesk(Desk, Protocol):
    """A model that answers batch after batch."""

    def answer(self, questions: Sequence[Question], threads: int) -> list[Answer]:
        """Return an answer to each question of one operation, by so many threads."""


@runtime_checkable
class SteppingDesk(Desk, Protocol):
    """A model that goes on step by step with all orders that it has taken."""

    @property
    def is_busy(self) -> bool:
        """Whether there is something to write, or to tell."""

    def take(self, order: Mapping[str, Any]) -> None:
        """Begin with an order."""

    def forget(self, number: int) -> None:
        """Let an order be."""

    def clear(self) -> None:
        """Let all orders be."""

    def step(self) -> tuple[list[Any], int]:
        """Go on; return the news, and how many tokens were written."""


class Letters:
    """What the service says. When it will say no more, the process ends.

    Who waits for a message reads it: handed over by a thread, it would come a turn later.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        threading.Thread(target=self._end_with, args=(source,), daemon=True).start()

    @property
    def is_there(self) -> bool:
        """Whether a message has come, in part at least."""
        return bool(select.select([self._source], [], [], 0)[0])

    def next(self) -> Frame:
        """Wait for the next message."""
        frame = read_frame(self._source)
        if frame is None:
            os._exit(0)
        return frame

    @staticmethod
    def _end_with(source: BinaryIO) -> None:
        """End the process when there is nobody left who could write."""
        gone = select.poll()
        gone.register(source, 0)  # what can be read is not asked for
        gone.poll()
        os._exit(0)


def main(open_desk: Callable[..., Desk] | None = None) -> None:
    """Answer until there is nobody to answer to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what it means is the service's to say
    settings = json.loads(sys.argv[1])
    source, target = _own_pipes()
    letters = Letters(source)
    try:
        _limit_memory(settings.pop("memory", None))
        if open_desk is None:
            from manyheads.serve.desks import open_desk
        desk = open_desk(**settings)
    except ManyHeadsError as error:
        _send(target, Frame({"say": "refused", "error": type(error).__name__, "why": str(error)}))
        return
    _send(target, Frame({"say": "ready", "card": desk.card}))
    match desk:
        case AnsweringDesk():
            while True:
                _send(target, _answered(desk, letters.next()))
        case SteppingDesk():
            while True:
                _send(target, _stepped(desk, letters))


def _stepped(desk: SteppingDesk, letters: Letters) -> Frame:
    """Return what one step brought, behind all orders that have come; wait where there are none."""
    try:
        while not desk.is_busy or letters.is_there:
            order = letters.next().head
            if order["do"] == "forget":
                desk.forget(order["job"])
            else:
                desk.take(order)
        news, tokens = desk.step()
    except Exception as error:
        desk.clear()
        return _failure(error)
    return Frame({"say": "news", "news": news, "tokens": tokens})


def _answered(desk: Desk, frame: Frame) -> Frame:
    """Return the answers to a batch, or what went wrong with it as a whole."""
    try:
        return answers_frame(desk.answer(questions_of(frame), frame.head["threads"]))
    except Exception as error:
        return _failure(error)


def _failure(error: Exception) -> Frame:
    """Return what went wrong with a whole batch, or with all orders."""
    if isinstance(error, ManyHeadsError):
        said = {"say": "failed", "error": type(error).__name__, "why": str(error)}
    else:
        why = f"{type(error).__name__}: {error}"
        said = {"say": "failed", "error": ServiceError.__name__, "why": why}
    if is_out_of_memory(error):
        said["say"] = "no memory"
    return Frame(said)


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return what stdin and stdout were.

    From now on nothing is read from stdin, and all that is printed goes to stderr.
    """
    source, target = os.fdopen(os.dup(0), "rb", 0), os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return source, target


def _send(target: BinaryIO, frame: Frame) -> None:
    target.write(frame.to_bytes())
    target.flush()


def _limit_memory(megabytes: int | None) -> None:
    """Let allocations fail beyond a limit, instead of the system ending the process."""
    if megabytes is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))


if __name__ == "__main__":
    main()
