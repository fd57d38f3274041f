"""Run an application until it is told to end; then answer what is there."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import uvicorn
from fastapi import FastAPI

from manyheads.errors import ConfigError
from manyheads.serve.service import Service

_DRAINING = 30.0  # seconds that requests in work have when the service is to end
# Seconds that an idle connection is kept: longer than clients keep theirs, which often is 5. Who
# closes first as the other one speaks cuts it off.
_KEPT = 75
_LAST_WORDS = 0.2  # seconds for requests that are on their way then


class Wire(Protocol):
    """Another way to ask the service, besides HTTP."""

    async def start(self) -> None:
        """Begin to answer; the service has started."""

    async def close(self) -> None:
        """Answer what is there, and end."""


@dataclass(frozen=True)
class Tls:
    """What https needs: a certificate, and its private key, as files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Address:
    """Where a service answers; port 0 is any that is free."""

    host: str
    port: int
    tls: Tls | None = None


def run(
    app: FastAPI,
    service: Service,
    address: Address,
    say: Callable[[str], None],
    wiring: Callable[[Callable[[], None]], Sequence[Wire]] = lambda _: (),
) -> None:
    """Open all models, answer at an address, and `say` it once that is so.

    `wiring` makes other wires of what ends the service.

    SIGTERM and Ctrl-C let what is there be answered first; a second one does not. Raises what a
    model is refused for, `ConfigError` for an address that is taken.
    """
    config = uvicorn.Config(
        app,
        address.host,
        address.port,
        lifespan="off",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=round(_DRAINING),
        timeout_keep_alive=_KEPT,
        ssl_certfile=None if address.tls is None else address.tls.certificate,
        ssl_keyfile=None if address.tls is None else address.tls.key,
    )

    _load(config)

    async def serve() -> None:
        sockets = [_bound(config)]
        await service.start()
        name, taken, *_ = sockets[0].getsockname()
        shown = f"[{name}]" if ":" in name else name
        server = _Server(config)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.handle_exit, number, None)
        wires = wiring(lambda: server.handle_exit(signal.SIGTERM, None))
        try:
            for wire in wires:
                await wire.start()
            serving = asyncio.create_task(server.serve(sockets))
            while not server.started and not serving.done():
                await asyncio.sleep(0.01)
            say(f"{'http' if address.tls is None else 'https'}://{shown}:{taken}")
            await serving
        finally:
            for wire in wires:
                await wire.close()
            await service.drain(_DRAINING)

    with asyncio.Runner(loop_factory=_event_loop) as runner:
        runner.run(serve())


def _event_loop() -> asyncio.AbstractEventLoop:
    """Return a loop: uvloop's where there is one, which needs far less of a core for a request."""
    try:
        import uvloop
    except ImportError:  # not for every system
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _load(config: uvicorn.Config) -> None:
    """Read what https needs; raises `ConfigError` where it cannot be."""
    try:
        config.load()
    except OSError as error:  # also of what is no certificate
        raise ConfigError(f"--tls-cert and --tls-key cannot be used ({error})") from error


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it: uvicorn would end the process before it is drained."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the door, hear out who has come in, and end; uvicorn would cut them short."""
        for one in self.servers:
            one.close()
        await asyncio.sleep(_LAST_WORDS)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bound(config: uvicorn.Config) -> socket.socket:
    """Return a socket at the address; uvicorn itself would end the process where it is taken."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    bound = socket.socket(family=family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((config.host, config.port))
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"{config.host}:{config.port} cannot be had ({error.strerror}); choose another --port"
        ) from error
    return bound
