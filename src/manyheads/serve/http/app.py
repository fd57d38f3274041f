"""The application: all wires over one service, with health and metrics."""

from __future__ import annotations

import time
from typing import Any

from fastapi import FastAPI, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from manyheads._version import __version__
from manyheads.serve.http import bert, native, openai, tei
from manyheads.serve.http.metrics import CONTENT_TYPE, Metrics
from manyheads.serve.http.replies import Json
from manyheads.serve.service import Service


def make_app(service: Service, metrics: Metrics, body_megabytes: int = 32) -> FastAPI:
    """Return the application of a service, which somebody else starts and ends."""

    app = FastAPI(title="manyheads", version=__version__, default_response_class=Json)
    for wire in (native, openai, tei, bert):
        app.include_router(wire.router(service))
    _add_health(app, service, metrics)
    app.add_middleware(_Counted, metrics=metrics)
    app.add_middleware(_Limited, limit=body_megabytes << 20)
    return app


def _add_health(app: FastAPI, service: Service, metrics: Metrics) -> None:
    @app.get("/livez", tags=["health"])
    async def livez() -> Json:
        """Say that the service itself is there."""
        return Json({"status": "live"})

    @app.get("/readyz", tags=["health"])
    @app.get("/health", tags=["health"])
    async def readyz() -> Json:
        """Say whether all models take questions and make progress with those that they have."""
        ready = service.is_ready
        return Json({"status": "ready" if ready else "not ready"}, 200 if ready else 503)

    @app.get("/metrics", tags=["health"])
    async def numbers() -> Response:
        """Return what Prometheus reads."""
        return Response(metrics.text(service), media_type=CONTENT_TYPE)


class _Counted:
    """Counts requests by their route, and how long they take."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with self._metrics.in_work.track_inprogress():
                await self._app(scope, receive, sending)
        finally:
            # Paths that are no route are not told apart: strangers choose them.
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.requests.labels(route, status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - begun)


class _Limited:
    """Refuses bodies beyond a limit, without reading them."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > self._limit:
            await self._refusal(f"a body of {said.decode('latin-1')} bytes")(scope, receive, send)
            return
        got = 0

        async def counting() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > self._limit:
                raise _TooLarge
            return message

        try:
            await self._app(scope, counting, send)
        except _TooLarge:
            await self._refusal("a body of unknown length")(scope, receive, send)

    def _refusal(self, what: str) -> Json:
        message = f"{what} exceeds the limit of {self._limit:,}; send less at once"
        error: dict[str, Any] = {"type": "TooLarge", "message": message}
        # What else is sent is not read, so that nothing can follow on this connection.
        close = {"Connection": "close"}
        return Json({"error": error, "error_type": "Validation"}, 413, headers=close)


class _TooLarge(Exception):  # noqa: N818 - reads as what happened
    pass
