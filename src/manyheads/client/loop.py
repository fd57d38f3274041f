"""An event loop in a thread of its own, for callers who have none, or one that is busy."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from typing import Any, TypeVar

from manyheads.errors import ServiceError

Value = TypeVar("Value")


class LoopThread:
    """Runs coroutines for threads that wait for them; `closing` is run when it ends.

    It ends when it is closed, or when nobody has it any more.
    """

    def __init__(self, closing: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._loop = asyncio.new_event_loop()
        self._process = os.getpid()
        thread = threading.Thread(target=self._loop.run_forever, name="client", daemon=True)
        thread.start()
        self._end = weakref.finalize(self, _end, self._loop, thread, closing)

    def run(self, coroutine: Coroutine[Any, Any, Value]) -> Value:
        """Return what a coroutine returns; Ctrl-C cancels it.

        Raises `ServiceError` in a process that was forked, where the thread is not, or behind the
        end.
        """
        if not self._end.alive or os.getpid() != self._process:
            coroutine.close()
            raise ServiceError(
                "this client is closed, or was made before the process was forked; make a new one"
            )
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, values: AsyncGenerator[Value, None]) -> Iterator[Value]:
        """Yield the values of an asynchronous generator, each as it comes; closes it."""
        end = object()

        async def following() -> Value | object:
            return await anext(values, end)

        try:
            while (value := self.run(following())) is not end:
                yield value  # type: ignore[misc]
        finally:
            self.run(values.aclose())

    def close(self) -> None:
        """End the thread."""
        self._end()


def _end(
    loop: asyncio.AbstractEventLoop,
    thread: threading.Thread,
    closing: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    if not thread.is_alive():  # a forked process has the loop, but no thread
        return
    if threading.current_thread() is thread:  # garbage is collected wherever it is found
        loop.stop()
        return
    asyncio.run_coroutine_threadsafe(closing(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
