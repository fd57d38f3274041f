"""Answers over HTTP: JSON with numbers straight from arrays, errors in the shape of each wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from manyheads.errors import (
    DeadlineExceeded,
    Draining,
    ManyHeadsError,
    OutOfMemory,
    Overloaded,
    ServiceError,
    TextError,
    TooLong,
    TooMany,
    UnknownModel,
    WorkerLost,
    WrongModel,
)
from manyheads.serve.notes import notes

CLIENT_GONE = 499  # nobody reads it

# What each error is over HTTP; the first that fits holds.
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (Overloaded, 429),
    (Draining, 503),
    (DeadlineExceeded, 408),
    (OutOfMemory, 413),
    (TooLong, 413),
    (TooMany, 413),
    (TextError, 422),
    (UnknownModel, 404),
    (WrongModel, 400),
    (WorkerLost, 500),
    (ServiceError, 500),
    (ManyHeadsError, 400),
)


class Json(Response):
    """A document of JSON; arrays are written as lists of numbers."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the document as bytes."""
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def status_of(error: Exception) -> int:
    """Return what an error is over HTTP."""
    if isinstance(error, RequestValidationError):
        return 422
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def told(error: Exception) -> str:
    """Return an error in one line."""
    if not isinstance(error, RequestValidationError):
        return str(error)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return f"the body is no JSON: {first['ctx']['error']} at character {first['loc'][-1]}"
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    return f"{place or 'the body'}: {first['msg']}"


def route_of(reply: Callable[[Exception], Json]) -> type[APIRoute]:
    """Return a kind of route that answers errors as a wire has them.

    A request whose client is gone is cancelled with all that it waits for.
    """

    class WireRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handle_or_tell(request: Request) -> Response:
                await request.body()  # whoever waits for the client to go must not read it
                try:
                    return await _while_there(request, handle(request))
                except (ManyHeadsError, RequestValidationError) as error:
                    notes().failed(error)
                    response = reply(error)
                    if isinstance(error, Overloaded):
                        response.headers["Retry-After"] = str(round(error.retry_after))
                    return response

            return handle_or_tell

    return WireRoute


async def _while_there(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """Do the work of a request as long as its client waits for it."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else Response(status_code=CLIENT_GONE)
    finally:
        working.cancel()
        leaving.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
