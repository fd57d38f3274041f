"""Answers that come piece by piece: server-sent events, as browsers and OpenAI's clients read them.

What goes wrong before the first event is an answer like any other; later it is the last event.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from fastapi.responses import StreamingResponse

from manyheads.errors import ManyHeadsError
from manyheads.serve.notes import notes

_UNBUFFERED = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


async def event_stream(
    events: AsyncIterator[Any], tell: Callable[[Exception], Any], end: bytes = b""
) -> StreamingResponse:
    """Return a response of events, as JSON, and of an `end` behind all of them.

    `tell` makes the last event of an error. Raises what goes wrong before there is any.
    """
    first = await anext(events)

    async def sent() -> AsyncIterator[bytes]:
        yield _event(first)
        try:
            async for event in events:
                yield _event(event)
        except ManyHeadsError as error:
            notes().failed(error)
            yield _event(tell(error))
            return
        yield end

    return StreamingResponse(sent(), media_type="text/event-stream", headers=_UNBUFFERED)


def _event(said: Any) -> bytes:
    return b"data: " + orjson.dumps(said) + b"\n\n"
