"""How many workers a model gets, and how large its batches are: measured on the first worker."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from time import monotonic

from manyheads.core.machine import available, resident
from manyheads.serve.items import Operation, Question
from manyheads.serve.process import WorkerProcess
from manyheads.serve.settings import ModelSettings
from manyheads.text import Encoded, Piece

_USUAL = 1024  # tokens in a batch of what is not measured
_SIZES = (256, 512, 1024, 2048, 4096)
_LENGTH = 64  # tokens of a text that is measured
_NEARLY = 0.95  # of the best speed: smaller batches let clients wait less
_ENOUGH = 0.4  # seconds of a batch, beyond which larger ones are not tried
_SHARE = 0.7  # of the memory that is free, for all workers of a model
_PATIENCE = 60.0  # seconds
_MEASURED = {
    "embedding": Operation("embed", (("uncounted", 0), ("unit_length", False))),
    "labelling": Operation("predict"),
    "encoding": Operation("encode"),
}


@dataclass(frozen=True)
class Size:
    """What was chosen, or said: processes, and the tokens of a batch."""

    workers: int
    batch_tokens: int


async def sized(worker: WorkerProcess, settings: ModelSettings) -> Size:
    """Return the size for a model that a first worker has opened; what is set stays."""
    return Size(
        settings.workers or _workers(worker, settings),
        settings.batch_tokens or await _batch_tokens(worker),
    )


def _workers(worker: WorkerProcess, settings: ModelSettings) -> int:
    """Return one for each core, as far as memory goes; one writes for all clients together."""
    if worker.card["kind"] == "writing" or settings.device != "cpu":
        return 1
    held, free = None if worker.pid is None else resident(worker.pid), available()
    if held is None or free is None:
        return settings.cores
    return max(1, min(settings.cores, int(_SHARE * (free + held) / held)))


async def _batch_tokens(worker: WorkerProcess) -> int:
    """Return the smallest batch that is nearly as fast as the fastest."""
    operation = _MEASURED.get(worker.card["kind"])
    if operation is None:
        return _USUAL
    speeds: dict[int, float] = {}
    await _seconds(worker, operation, _SIZES[0])  # the first one is slow
    for size in _SIZES:
        seconds = await _seconds(worker, operation, size)
        speeds[size] = size / seconds
        if seconds > _ENOUGH:
            break
    best = max(speeds.values())
    return next(size for size, speed in speeds.items() if speed >= _NEARLY * best)


async def _seconds(worker: WorkerProcess, operation: Operation, tokens: int) -> float:
    """Return how long a batch of so many tokens takes, by one thread."""
    length = min(_LENGTH, worker.card["truncation"]["max_tokens"])
    piece = Piece(array("i", [0] * length), array("B", bytes(length)), None)
    questions = [Question(operation, Encoded((piece,), length, 0))] * max(1, tokens // length)
    begun = monotonic()
    await worker.answer(questions, 1, _PATIENCE)
    return monotonic() - begun
