"""A worker without a model that writes: the text of an order says what happens to the process.

    python tests/serve/obedient_writer.py SETTINGS

It writes the words of a text, one of every order in work at a step. Everything it does, it really
does: it is killed, it stops, it runs out of memory.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manyheads.errors import GenerationError
from manyheads.serve.worker import main


class ObedientWriter:
    """Writes what it is told, word by word."""

    def __init__(self, mark: str = "", pause: float = 0.0) -> None:
        self.card = {
            "kind": "writing",
            "max_tokens": 8,
            "tokenizer": None,
        }
        self._mark = Path(mark)
        self._pause = pause
        self._work: dict[int, tuple[list[str], list[str]]] = {}
        self._told: list[Any] = []

    @property
    def is_busy(self) -> bool:
        return bool(self._work or self._told)

    def take(self, order: Mapping[str, Any]) -> None:
        if order["given"] == "refused":
            error = [GenerationError.__name__, "a text that this model refuses"]
            self._told.append((order["job"], "error", error))
            return
        self._work[order["job"]] = ([], order["given"].split())

    def forget(self, number: int) -> None:
        self._work.pop(number, None)

    def clear(self) -> None:
        self._work.clear()
        self._told.clear()

    def step(self) -> tuple[list[Any], int]:
        time.sleep(self._pause)
        most = max((len(written) + len(rest) for written, rest in self._work.values()), default=0)
        told, self._told = self._told, []
        for number, (written, rest) in list(self._work.items()):
            if rest:
                self._obey(rest[0])
                word = f"{rest.pop(0)} "
                written.append(word)
                told.append((number, "piece", word))
            if not rest:
                del self._work[number]
                said = {"text": "".join(written), "pid": os.getpid(), "beside": len(self._work)}
                counts = {"read": most, "written": len(written), "truncated": 0}
                told.append((number, "done", said | counts))
        return told, len(told)

    def _obey(self, word: str) -> None:
        if word == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "die-once" and not self._mark.exists():
            self._mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "hang":
            os.kill(os.getpid(), signal.SIGSTOP)
        if word == "greedy" and len(self._work) > 2:
            raise MemoryError("too many greedy ones together")
        if word == "glutton":
            raise MemoryError("one that is too much by itself")
        if word == "nonsense":
            raise RuntimeError("a step that fails for all")


def open_desk(mark: str = "", pause: float = 0.0) -> ObedientWriter:
    """Open nothing."""
    return ObedientWriter(mark, pause)


if __name__ == "__main__":
    main(open_desk)
