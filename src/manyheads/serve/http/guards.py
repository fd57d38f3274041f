"""What stands before all routes: limits of bodies, keys of clients, counts of requests."""

from __future__ import annotations

import hmac
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from manyheads.errors import ConfigError
from manyheads.serve.http.metrics import Metrics
from manyheads.serve.http.replies import Json

OPEN = ("/livez", "/readyz", "/health")  # what those may ask who have no key


def read_keys(path: Path) -> list[str]:
    """Return the keys in a file, one in a line; empty lines and those after # say nothing.

    Raises `ConfigError` for a file that cannot be read or holds no key.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a file of keys ({error})") from error
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not keys:
        raise ConfigError(f"{path} holds no key; write one in each line")
    return keys


class Keyed:
    """Lets only those in who send a key, as a bearer token or as `X-API-Key`."""

    def __init__(self, app: ASGIApp, keys: list[str], metrics_are_open: bool) -> None:
        self._app = app
        self._digests = [sha256(key.encode()).digest() for key in keys]
        self._open = {*OPEN, "/metrics"} if metrics_are_open else set(OPEN)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in self._open and not self._fits(scope):
            message = "no valid key; send one as `Authorization: Bearer KEY`"
            error = {"type": "invalid_api_key", "message": message, "code": "invalid_api_key"}
            document = {"error": error, "error_type": "Unauthorized"}
            reply = Json(document, 401, headers={"WWW-Authenticate": "Bearer"})
            await reply(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _fits(self, scope: Scope) -> bool:
        """Whether a request brings a key; how long that takes says nothing about the keys."""
        headers = dict(scope["headers"])
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer":
            given = headers.get(b"x-api-key", b"")
        digest = sha256(given.strip()).digest()
        return any([hmac.compare_digest(digest, one) for one in self._digests])  # noqa: C419


class Counted:
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


class Limited:
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
