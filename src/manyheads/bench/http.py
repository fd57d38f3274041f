"""Requests over kept connections, with as little work for each as there can be.

What asks must take less time than what answers, often on the very same cores. For a request with an
answer of 384 numbers this takes 0.2 ms of a core; h11 takes twice, httpx ten times as long
(`benchmarks/canned.py`).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from manyheads.errors import ConfigError

_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True)
class Address:
    """Where a service is."""

    host: str
    port: int
    path: str
    is_https: bool

    @classmethod
    def of(cls, url: str) -> Address:
        """Return the address that a URL names; raises `ConfigError` where it is none of HTTP."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"{url!r} is no URL ({error})") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{url!r} is no URL of a service; write http://HOST:PORT")
        is_https = parts.scheme == "https"
        path = parts.path.rstrip("/")
        return cls(parts.hostname, port or (443 if is_https else 80), path, is_https)

    @property
    def netloc(self) -> str:
        """The host and the port, as a request names them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True)
class Reply:
    """A status and a body."""

    status: int
    body: bytes


class Stale(ConnectionError):  # noqa: N818 - reads as what it is
    """A kept connection that the other side had let go of when the next request came."""


class Connection:
    """A connection for one request after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._replies = 0
        self._stays = True

    @classmethod
    async def open(cls, address: Address) -> Connection:
        """Return a new connection; raises `OSError`."""
        secure = ssl.create_default_context() if address.is_https else None
        return cls(*await asyncio.open_connection(address.host, address.port, ssl=secure))

    @property
    def is_open(self) -> bool:
        """Whether it takes another request, as far as is known."""
        return self._stays and not self._reader.at_eof()

    async def ask(self, request: bytes) -> Reply:
        """Send a request and return the reply; raises `OSError`, `EOFError`, `ValueError`."""
        self._writer.write(request)
        status = 100
        while status < 200:  # what is said before the reply itself
            status, headers = _read(await self._head())
        body = await self._body(headers)
        self._stays = self._stays and headers.get("connection", "").lower() != "close"
        self._replies += 1
        return Reply(status, body)

    def close(self) -> None:
        """Let go of it."""
        self._writer.close()

    async def _head(self) -> bytes:
        try:
            return await self._reader.readuntil(_END_OF_HEAD)
        except asyncio.LimitOverrunError as error:
            raise ValueError("a head without an end") from error
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            if self._replies and not getattr(error, "partial", b""):
                raise Stale("closed while nobody asked") from error
            raise

    async def _body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return await self._chunks()
        if (size := headers.get("content-length")) is not None:
            return await self._reader.readexactly(int(size))
        self._stays = False
        return await self._reader.read()

    async def _chunks(self) -> bytes:
        chunks = []
        while size := int((await self._reader.readline()).partition(b";")[0], 16):
            chunks.append(await self._reader.readexactly(size))
            await self._reader.readline()
        while (await self._reader.readline()).strip():  # trailers
            pass
        return b"".join(chunks)


class Client:
    """Asks one route, over as many connections as there are requests at once, up to a limit."""

    def __init__(self, address: Address, route: str, api_key: str | None, connections: int) -> None:
        self._address = address
        self._idle: list[Connection] = []
        self._room = asyncio.Semaphore(connections)
        key = "" if api_key is None else f"Authorization: Bearer {api_key}\r\n"
        self._head = (
            f"POST {address.path}{route} HTTP/1.1\r\nHost: {address.netloc}\r\n{key}"
            "Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: "
        ).encode()

    async def ask(self, body: bytes) -> Reply:
        """Return the reply to a body; raises `OSError`, `EOFError`, `ValueError`."""
        request = b"%s%d\r\n\r\n%s" % (self._head, len(body), body)
        async with self._room:
            while self._idle:
                with suppress(Stale):
                    return await self._asked(self._idle.pop(), request)
            return await self._asked(await Connection.open(self._address), request)

    async def _asked(self, connection: Connection, request: bytes) -> Reply:
        try:
            reply = await connection.ask(request)
        except BaseException:
            connection.close()
            raise
        if connection.is_open:
            self._idle.append(connection)
        else:
            connection.close()
        return reply

    def close(self) -> None:
        """Let go of all connections."""
        for connection in self._idle:
            connection.close()


def _read(head: bytes) -> tuple[int, dict[str, str]]:
    """Return the status and the headers of a reply; raises `ValueError` where it is none."""
    first, *lines = head[: -len(_END_OF_HEAD)].decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"{first[:40]!r} is no reply over HTTP/1.1")
    pairs = (line.partition(":") for line in lines)
    return int(rest[:3]), {name.strip().lower(): value.strip() for name, _, value in pairs}
