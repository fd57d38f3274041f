"""Messages between a service and its workers: a header of JSON, then arrays as they lie in memory.

    length of the header, length of the rest (4 and 8 bytes) │ header │ arrays, end to end

Nothing in a message is ever run, on either side.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

_LENGTHS = struct.Struct("<IQ")


@dataclass(frozen=True)
class Frame:
    """A message: what it says, and the numbers that go with it."""

    head: Mapping[str, Any]
    arrays: Sequence[np.ndarray] = ()

    def to_bytes(self) -> bytes:
        """Return the message as it travels."""
        arrays = [np.ascontiguousarray(array) for array in self.arrays]
        shapes = [(array.dtype.str, array.shape) for array in arrays]
        head = json.dumps({"head": dict(self.head), "arrays": shapes}).encode()
        lengths = _LENGTHS.pack(len(head), sum(array.nbytes for array in arrays))
        return b"".join((lengths, head, *(array.tobytes() for array in arrays)))

    @classmethod
    def of_bytes(cls, head: bytes, rest: bytes) -> Frame:
        """Return the message of its two parts; its arrays are read-only."""
        said = json.loads(head)
        arrays, at = [], 0
        for dtype, shape in said["arrays"]:
            count = int(np.prod(shape, dtype=np.int64))
            array = np.frombuffer(rest, dtype, count, at).reshape(shape)
            arrays.append(array)
            at += array.nbytes
        return cls(said["head"], arrays)


def read_frame(source: BinaryIO) -> Frame | None:
    """Wait for the next message; None where the other side is gone."""
    try:
        head, rest = _LENGTHS.unpack(_exactly(source, _LENGTHS.size))
        return Frame.of_bytes(_exactly(source, head), _exactly(source, rest))
    except EOFError:
        return None


def _exactly(source: BinaryIO, size: int) -> bytes:
    """Return so many bytes, of which a pipe gives a part at a time; raises `EOFError`."""
    parts = []
    while size:
        part = source.read(size)
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


async def next_frame(source: asyncio.StreamReader) -> Frame | None:
    """Wait for the next message; None where the other side is gone."""
    try:
        head, rest = _LENGTHS.unpack(await source.readexactly(_LENGTHS.size))
        return Frame.of_bytes(await source.readexactly(head), await source.readexactly(rest))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
