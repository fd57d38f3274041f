"""Every request has an id and notes, and at its end recorders are told of it.

What watches the service (health, metrics, the dashboard) is recorded only where it fails: it comes
again every few seconds, for ever, and says nothing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Protocol
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from manyheads.serve.http.metrics import Metrics
from manyheads.serve.http.replies import Json
from manyheads.serve.notes import Notes, noting

REQUEST_ID = "X-Request-Id"
_SANE = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)  # an id of a client that may go into logs
_TRACE = ("traceparent", "tracestate")
_WATCHING = ("/", "/status", "/livez", "/readyz", "/health", "/metrics")


class Recorder(Protocol):
    """Keeps what is known of requests, or sends it somewhere."""

    def record(self, notes: Notes) -> None:
        """Take the notes of a request that has been answered."""

    def close(self) -> None:
        """Bring everything to where it belongs; nothing more comes."""


class Noted:
    """Begins the notes of each request, counts it, and tells recorders of it at its end."""

    def __init__(self, app: ASGIApp, metrics: Metrics, recorders: Sequence[Recorder]) -> None:
        self._app = app
        self._metrics = metrics
        self._recorders = recorders

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        noted = _begun(scope)
        begun, has_answered = time.perf_counter(), False

        async def sending(message: Message) -> None:
            nonlocal has_answered
            if message["type"] == "http.response.start":
                noted.status, has_answered = message["status"], True
                MutableHeaders(scope=message)[REQUEST_ID] = noted.request_id
            await send(message)

        with noting(noted), self._metrics.in_work.track_inprogress():
            try:
                await self._app(scope, receive, sending)
            except Exception as error:
                noted.failed(error)
                if not has_answered:
                    await _mistake(noted)(scope, receive, sending)
                raise
            finally:
                noted.seconds = time.perf_counter() - begun
                # Paths that are no route are not told apart: strangers choose them.
                noted.route = getattr(scope.get("route"), "path", noted.route)
                self._record(noted)

    def _record(self, noted: Notes) -> None:
        self._metrics.record(noted)
        if noted.route in _WATCHING and noted.method != "POST" and noted.status < 400:
            return
        for one in self._recorders:
            one.record(noted)


def _begun(scope: Scope) -> Notes:
    headers = Headers(scope=scope)
    given = headers.get(REQUEST_ID, "")
    return Notes(
        given if _SANE.fullmatch(given) else uuid4().hex,
        scope["method"],
        {name: headers[name] for name in _TRACE if name in headers},
    )


def _mistake(noted: Notes) -> Json:
    """Return the answer where the service itself is wrong."""
    message = "the service made a mistake, which its own output describes; report it by this id"
    error = {"type": "InternalError", "message": message, "request_id": noted.request_id}
    return Json({"error": error, "error_type": "Backend"}, 500)
