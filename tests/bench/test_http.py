"""What asks: addresses, and every way in which a reply may say where it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from manyheads.bench.http import Address, Client, Reply
from manyheads.errors import ConfigError

from .scripted import Server, reply, scripted

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4\r\nabcd\r\n3;name=value\r\nefg\r\n0\r\nTrailer: there\r\n\r\n"
)


def ask(server: Server, bodies: list[bytes], api_key: str | None = None) -> list[Reply]:
    async def asking() -> list[Reply]:
        client = Client(Address.of(server.url), "/route", api_key, 10)
        found = [await client.ask(body) for body in bodies]
        client.close()
        return found

    return asyncio.run(asking())


@pytest.mark.parametrize(
    ("url", "address", "netloc"),
    [
        ("http://localhost:8000", Address("localhost", 8000, "", False), "localhost:8000"),
        ("http://[::1]:80/base/", Address("::1", 80, "/base", False), "[::1]:80"),
        ("https://127.0.0.1", Address("127.0.0.1", 443, "", True), "127.0.0.1:443"),
    ],
)
def test_addresses(url: str, address: Address, netloc: str) -> None:
    assert Address.of(url) == address
    assert address.netloc == netloc


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://localhost", "http://", "http://localhost:x", "http://[::1"]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ConfigError, match="is no URL"):
        Address.of(url)


def test_one_connection_for_one_request_after_the_other() -> None:
    with scripted(lambda number: reply(b"%d" % number)) as server:
        replies = ask(server, [b"a", b"bc"], api_key="secret")
        assert replies == [Reply(200, b"1"), Reply(200, b"2")]
        assert server.connections == 1
        assert all(b"\r\nAuthorization: Bearer secret\r\n" in one for one in server.requests)
        assert server.requests[1].startswith(b"POST /route HTTP/1.1\r\nHost: 127.0.0.1:")
        assert server.requests[1].endswith(b"Content-Length: 2\r\n\r\nbc")


@pytest.mark.parametrize(
    ("said", "expected", "stays"),
    [
        (reply(b"ab", "429 Too Many Requests"), Reply(429, b"ab"), True),
        (CHUNKED, Reply(200, b"abcdefg"), True),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + reply(b"ab"), Reply(200, b"ab"), True),
        (reply(b"ab", "200 OK", "Connection: close"), Reply(200, b"ab"), False),
        (b"HTTP/1.1 200 OK\r\nServer: closes\r\n\r\nuntil it closes", None, False),
    ],
    ids=["status", "chunked", "hints", "close", "until the end"],
)
def test_where_a_reply_ends(said: bytes, expected: Reply | None, stays: bool) -> None:
    with scripted(lambda _: said) as server:
        replies = ask(server, [b"x"] * 3)
        assert replies == [expected or Reply(200, b"until it closes")] * 3
        assert server.connections == (1 if stays else 3)


def test_a_kept_connection_that_the_service_closed_is_no_failure() -> None:
    """It closes the first connection when the second request comes, without a word."""
    with scripted(lambda number: b"" if number == 2 else reply(b"ab")) as server:
        assert ask(server, [b"x"] * 3) == [Reply(200, b"ab")] * 3
        assert server.connections == 2 and len(server.requests) == 4


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", ValueError),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, ValueError),
        (b"", EOFError),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nshort", EOFError),
    ],
    ids=["another protocol", "no end", "nothing", "cut off"],
)
def test_what_is_no_reply(said: bytes, kind: type[Exception]) -> None:
    script: Callable[[int], bytes] = lambda _: said  # noqa: E731
    with scripted(script) as server, pytest.raises(kind):
        ask(server, [b"x"])
