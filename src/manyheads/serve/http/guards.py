"""What stands before all routes: limits of bodies, keys of clients."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from manyheads.errors import ConfigError
from manyheads.serve.http.replies import Json
from manyheads.serve.notes import notes

OPERATORS = "/admin"
# What those may ask who have no key; the page of the dashboard holds nothing and asks for one.
OPEN = ("/", "/livez", "/readyz", "/health")


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
    """Lets only those in who send a key, as a bearer token or as `X-API-Key`.

    What is for operators needs one of theirs; all else one of the clients', if there are any.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: Sequence[str],
        operators: Sequence[str],
        metrics_are_open: bool,
    ) -> None:
        self._app = app
        self._clients = _digests(keys)
        self._operators = _digests(operators)
        self._open = {*OPEN, "/metrics"} if metrics_are_open else set(OPEN)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._fits(scope):
            message = "no valid key; send one as `Authorization: Bearer KEY`"
            kind = {"type": "invalid_api_key", "code": "invalid_api_key"}
            document = _refusal(kind, message, "Unauthorized")
            reply = Json(document, 401, headers={"WWW-Authenticate": "Bearer"})
            await reply(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _fits(self, scope: Scope) -> bool:
        """Whether a request brings a key; how long that takes says nothing about the keys."""
        is_operators = scope["path"].startswith(OPERATORS)
        digests = self._operators if is_operators else self._clients
        is_open = scope["path"] in self._open and scope["method"] in ("GET", "HEAD")
        if not is_operators and (not digests or is_open):
            return True
        headers = dict(scope["headers"])
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer":
            given = headers.get(b"x-api-key", b"")
        digest = sha256(given.strip()).digest()
        return any([hmac.compare_digest(digest, one) for one in digests])  # noqa: C419


def _digests(keys: Sequence[str]) -> list[bytes]:
    return [sha256(key.encode()).digest() for key in keys]


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
            await self._too_large(f"a body of {said.decode('latin-1')} bytes")(scope, receive, send)
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
            await self._too_large("a body of unknown length")(scope, receive, send)

    def _too_large(self, what: str) -> Json:
        message = f"{what} exceeds the limit of {self._limit:,}; send less at once"
        # What else is sent is not read, so that nothing can follow on this connection.
        close = {"Connection": "close"}
        return Json(_refusal({"type": "TooLarge"}, message, "Validation"), 413, headers=close)


def _refusal(kind: dict[str, str], message: str, error_type: str) -> dict[str, Any]:
    """Return a document of which each wire finds what it looks for."""
    noted = notes()
    noted.error = kind["type"]
    error = {**kind, "message": message, "request_id": noted.request_id}
    return {"error": error, "error_type": error_type}


class _TooLarge(Exception):  # noqa: N818 - reads as what happened
    pass
