"""Messages arrive as they were sent, or not at all."""

from __future__ import annotations

import asyncio
import io
import os
import threading

import numpy as np
import pytest

from manyheads.serve.frames import Frame, next_frame, read_frame

FRAMES = [
    Frame({"say": "你好", "n": [1, None]}),
    Frame({}, [np.arange(6, dtype=np.int32).reshape(2, 3), np.zeros((0, 4), np.float32)]),
    Frame({}, [np.arange(12).reshape(3, 4).T, np.float32(3)[None]]),
]


def same(found: Frame | None, sent: Frame) -> bool:
    assert found is not None
    assert found.head == sent.head and len(found.arrays) == len(sent.arrays)
    for one, other in zip(found.arrays, sent.arrays, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    return True


async def awaited(data: bytes) -> list[Frame | None]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    found = []
    while (frame := await next_frame(reader)) is not None:
        found.append(frame)
    return found


def test_messages_arrive_one_by_one() -> None:
    data = b"".join(frame.to_bytes() for frame in FRAMES)
    source = io.BytesIO(data)
    assert all(same(read_frame(source), frame) for frame in FRAMES)
    assert read_frame(source) is None
    found = asyncio.run(awaited(data))
    assert all(same(one, frame) for one, frame in zip(found, FRAMES, strict=True))


@pytest.mark.parametrize("kept", [0, 3, 11, 20, -1])
def test_half_a_message_is_none(kept: int) -> None:
    data = FRAMES[1].to_bytes()[:kept]
    assert read_frame(io.BytesIO(data)) is None
    assert asyncio.run(awaited(data)) == []


def test_a_pipe_gives_a_message_in_parts() -> None:
    read_end, write_end = os.pipe()
    large = Frame({"say": "large"}, [np.arange(200_000)])  # many times what a pipe holds
    writer = threading.Thread(target=_write_all, args=(write_end, large.to_bytes()))
    writer.start()
    with os.fdopen(read_end, "rb", buffering=0) as source:
        assert same(read_frame(source), large)
        assert read_frame(source) is None
    writer.join()


def _write_all(write_end: int, data: bytes) -> None:
    with os.fdopen(write_end, "wb") as target:
        target.write(data)
