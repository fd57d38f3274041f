"""A worker without a model: the first token of a text says what happens to the process.

    python tests/serve/obedient.py SETTINGS

Everything it does, it really does: it is killed, it stops, it runs out of memory.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from manyheads.errors import ConfigError, TextError
from manyheads.serve.items import Answer, Question
from manyheads.serve.worker import main

ECHO, DIE, HANG, GREEDY, REFUSED, SLOW, LOSES_ONE, DIE_ONCE = range(8)


class ObedientDesk:
    """Answers a text by its tokens, by how many texts shared its batch, and by its own process."""

    def __init__(self, mark: str = "") -> None:
        self.card = {"kind": "obedient", "mark": mark}
        self._mark = Path(mark)

    def answer(self, questions: Sequence[Question], threads: int) -> list[Answer]:
        operation, texts = questions[0].operation.name, [one.encoded for one in questions]
        for text in texts:
            self._obey(text.pieces[0].ids[0], sum(len(piece.ids) for piece in text.pieces))
        answers = [
            Answer(
                {"batch": len(texts), "pid": os.getpid(), "threads": threads, "do": operation},
                [np.array(piece.ids) for piece in text.pieces],
            )
            for text in texts
        ]
        return answers[1:] if texts[0].pieces[0].ids[0] == LOSES_ONE else answers

    def _obey(self, order: int, tokens: int) -> None:
        if order == DIE:
            os.kill(os.getpid(), signal.SIGKILL)
        if order == DIE_ONCE and not self._mark.exists():
            self._mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if order == HANG:
            os.kill(os.getpid(), signal.SIGSTOP)
        if order == GREEDY:
            np.ones(tokens << 20, np.uint8)  # a megabyte for each token
        if order == REFUSED:
            raise TextError("a text that this model refuses")
        if order == SLOW:
            time.sleep(tokens / 100)


def open_desk(mark: str = "", refuse: str = "", die: bool = False) -> ObedientDesk:
    """Open nothing, or refuse to, or end."""
    if refuse:
        raise ConfigError(refuse)
    if die:
        sys.exit(3)
    print("what a model prints is no answer")
    return ObedientDesk(mark)


if __name__ == "__main__":
    main(open_desk)
