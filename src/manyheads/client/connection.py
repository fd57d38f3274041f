"""Requests to one service that are tried again where that can help, and end at their deadline."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from manyheads._version import __version__
from manyheads.client.patience import Deadline, pauses, seconds_of
from manyheads.client.wire import error_named, error_of
from manyheads.errors import (
    ConfigError,
    DeadlineExceeded,
    ManyHeadsError,
    MissingExtra,
    ServiceError,
    Unreachable,
)

if TYPE_CHECKING:
    import httpx

Document = Mapping[str, Any]
Verify = bool | str | Path | ssl.SSLContext

_CONNECTING = 10.0  # seconds
_AGAIN = (429, 503)  # too much, or about to end: another time, or another replica
_LONGEST_TIMEOUT = 3600.0  # seconds that a service lets itself be given
_PROBE = 5.0  # seconds for a service to say whether it is ready


class Connection:
    """A service by its address, and how it is asked."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        api_key: str | None,
        verify: Verify,
        retries: int,
    ) -> None:
        """Raises `ConfigError` for what is no address, `MissingExtra` without httpx."""
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ConfigError(f"{url!r} is no address of a service; write http://HOST:PORT")
        try:
            import httpx
        except ImportError as error:
            raise MissingExtra("httpx", "client", "asking a service") from error
        self.url = url.rstrip("/")
        self._retries = retries
        sent = {"User-Agent": f"manyheads/{__version__}", **headers}
        if api_key is not None:
            sent["Authorization"] = f"Bearer {api_key}"
        self._http = httpx.AsyncClient(
            headers={name.encode(): value.encode() for name, value in sent.items()},
            verify=_verified(verify),
            timeout=httpx.Timeout(None, connect=_CONNECTING),  # the rest has deadlines of its own
            limits=httpx.Limits(max_connections=None),
        )

    async def post(self, path: str, document: Document, deadline: Deadline) -> Any:
        """Return the answer to a document; raises the typed error that the service says.

        Raises `DeadlineExceeded`, `Unreachable` too.
        """
        response = await self._answered("POST", path, document, deadline)
        return _document(response.content)

    async def get(self, path: str, deadline: Deadline) -> Any:
        """Return what is there; raises as `post` does."""
        return _document((await self._answered("GET", path, None, deadline)).content)

    async def events(
        self, path: str, document: Document, deadline: Deadline
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the events that answer a document, as they come; raises as `post` does.

        Once the first one is there nothing is tried again.
        """
        response = await self._answered("POST", path, document, deadline, streams=True)
        try:
            lines = response.aiter_lines()
            while (line := await self._next_line(lines, deadline)) is not None:
                if not line.startswith("data:"):  # what ends an event, or keeps the line open
                    continue
                event = _document(line.removeprefix("data:").encode())
                if "error" in event:
                    raise error_named(event["error"]["type"], event["error"]["message"])
                yield event
        finally:
            await response.aclose()

    async def is_ready(self) -> bool:
        """Whether the service says that it is ready, now."""
        import httpx

        try:
            response = await self._http.get(f"{self.url}/readyz", timeout=_PROBE)
        except httpx.TransportError:
            return False
        return response.status_code == 200

    async def close(self) -> None:
        """Let go of all connections."""
        await self._http.aclose()

    async def _answered(
        self,
        method: str,
        path: str,
        document: Document | None,
        deadline: Deadline,
        streams: bool = False,
    ) -> httpx.Response:
        """Return a good answer, after further attempts where those can help."""
        coming = pauses(self._retries)
        while True:
            try:
                async with asyncio.timeout_at(deadline.at):
                    return await self._once(method, path, document, deadline, streams)
            except TimeoutError:
                raise self._late(deadline) from None
            except _Again as again:
                pause = next(coming, None)
                if pause is None or pause + again.after >= deadline.left:
                    raise again.error from None
                await asyncio.sleep(pause + again.after)

    async def _once(
        self,
        method: str,
        path: str,
        document: Document | None,
        deadline: Deadline,
        streams: bool,
    ) -> httpx.Response:
        import httpx

        content = None
        if document is not None:
            # The service need not answer what nobody waits for any more.
            left = min(_LONGEST_TIMEOUT, max(deadline.left, 0.001))
            content = json.dumps({**document, "timeout": left}).encode()
        json_type = {"Content-Type": "application/json"}
        request = self._http.build_request(
            method, f"{self.url}{path}", content=content, headers=json_type
        )
        try:
            response = await self._http.send(request, stream=streams)
        except httpx.TransportError as error:
            gone = Unreachable(f"{self.url} cannot be asked ({_reason(error)}); is it running?")
            raise (gone if _is_final(error) else _Again(gone, 0.0)) from error
        if response.is_success:
            return response
        await response.aread()
        after = seconds_of(response.headers.get("Retry-After"))
        failure = error_of(response.status_code, response.content, after)
        raise _Again(failure, after) if response.status_code in _AGAIN else failure

    async def _next_line(self, lines: AsyncIterator[str], deadline: Deadline) -> str | None:
        """Return the next line of a stream, None behind its last one."""
        import httpx

        try:
            async with asyncio.timeout_at(deadline.at):
                return await anext(lines, None)
        except TimeoutError:
            raise self._late(deadline) from None
        except httpx.TransportError as error:
            raise Unreachable(
                f"{self.url} ended in the middle of an answer ({_reason(error)}); ask again"
            ) from error

    def _late(self, deadline: Deadline) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"{self.url} did not answer all in {deadline.seconds:g} s; allow more (timeout)"
        )


class _Again(Exception):  # noqa: N818 - reads as what is to be done
    """An `error` that another attempt may mend, in `after` seconds at the earliest."""

    def __init__(self, error: ManyHeadsError, after: float) -> None:
        super().__init__(str(error))
        self.error = error
        self.after = after


def _document(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        raise ServiceError(
            f"an answer is no JSON: {content[:80]!r}; is the address right?"
        ) from None


def _verified(verify: Verify) -> bool | ssl.SSLContext:
    """Return what httpx takes; a path names the authorities that are trusted."""
    if not isinstance(verify, str | Path):
        return verify
    try:
        return ssl.create_default_context(cafile=verify)
    except OSError as error:  # also of what holds no certificate
        raise ConfigError(f"verify={str(verify)!r} cannot be used ({error})") from error


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _is_final(error: BaseException) -> bool:
    """Whether no other attempt can help: a certificate stays as it is, and so does a header."""
    import httpx

    final = (ssl.SSLCertVerificationError, httpx.LocalProtocolError, httpx.UnsupportedProtocol)
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, final):
        cause = cause.__cause__ or cause.__context__
    return cause is not None
