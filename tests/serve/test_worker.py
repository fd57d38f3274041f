"""A worker ends with its service, whatever it does just then."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from manyheads.serve.frames import read_frame
from manyheads.serve.messages import answers_of, batch_frame

from .obedient import ECHO, SLOW
from .test_batcher import COMMAND, ids_of, question


@contextmanager
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """A worker that has said that it is ready."""
    pipe = subprocess.PIPE
    process = subprocess.Popen((*COMMAND, "{}"), stdin=pipe, stdout=pipe)
    try:
        ready = read_frame(process.stdout)
        assert ready is not None and ready.head["say"] == "ready"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_it_answers_batch_after_batch() -> None:
    with worker() as process:
        sent = [[question(ECHO, 5), question(ECHO, 6, 7)], [question(ECHO, 8)]]
        for batch in sent:  # the second one waits in the pipe
            process.stdin.write(batch_frame(batch, threads=1).to_bytes())
        process.stdin.flush()
        found = [answers_of(read_frame(process.stdout)) for _ in sent]
        assert [[ids_of(one) for one in batch] for batch in found] == [
            [[ECHO, 5], [ECHO, 6, 7]],
            [[ECHO, 8]],
        ]
        process.stdin.close()
        assert process.wait(10) == 0


def test_it_ends_while_it_works() -> None:
    with worker() as process:
        an_hour = question(SLOW, *([0] * 360_000))
        process.stdin.write(batch_frame([an_hour], threads=1).to_bytes())
        process.stdin.close()
        assert process.wait(30) == 0
