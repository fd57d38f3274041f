"""Several batches at once, each on cores of its own.

A layer that is spread over all cores ends when its slowest part ends, several times a layer. Two
batches on a core each never wait for each other, and what one core cannot share (the Python around
the layers, small attention calls) is shared too. So independent batches run side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Value = TypeVar("Value")


def streams_on(device: torch.device) -> int:
    """Return how many batches run best at once: on CPU one for each of torch's threads."""
    return torch.get_num_threads() if device.type == "cpu" else 1


def in_streams(
    work: Callable[[Item], Value], items: Sequence[Item], streams: int
) -> Iterator[Value]:
    """Yield `work(item)` in the order of the items, `streams` of them at work at any time.

    The threads that torch may use are divided between the streams. Settings that torch keeps for
    each thread, such as inference mode, must be made inside `work`. What `work` raises is raised
    here, and items that have not begun then never do.
    """
    streams = min(streams, len(items))
    if streams < 2:
        yield from map(work, items)
        return
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(
        streams, "stream", initializer=torch.set_num_threads, initargs=(threads // streams or 1,)
    )
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # part of the setting is the process's, not the thread's
