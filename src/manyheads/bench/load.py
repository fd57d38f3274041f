"""Load on a service: who asks when, and what became of each request.

Latency counts from when a request was due, not from when it could be sent: a service that stands
still for a second is late for everybody who would have come in that second, and a generator that
waits with it would not notice (Tene: "coordinated omission").
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol

from manyheads.bench.http import Address, Client
from manyheads.bench.report import Report, Sample
from manyheads.bench.routes import Answered, Route
from manyheads.errors import ConfigError, ServiceError

Ask = Callable[[float], Coroutine[Any, Any, None]]
_SHOWN = 200  # characters of an error


@dataclass(frozen=True)
class Target:
    """What is asked, and how.

    Attributes:
        url: Where the service is; routes begin behind its path.
        route: Which of its routes is asked.
        model: What requests call the model; None for the first one of the service.
        api_key: Sent as a bearer token.
        texts: How many texts are in a request.
        timeout: Seconds after which a request counts as failed.
        connections: How many there may be at once; who finds none waits, and its latency runs.
    """

    url: str
    route: Route = Route.EMBED
    model: str | None = None
    api_key: str | None = None
    texts: int = 1
    timeout: float = 60.0
    connections: int = 1000

    def __post_init__(self) -> None:
        for name in ("texts", "timeout", "connections"):
            if (value := getattr(self, name)) <= 0:
                raise ConfigError(f"{name}={value} asks nothing; choose more than 0")


class Load(Protocol):
    """Who asks when."""

    async def run(self, ask: Ask, until: float) -> None:
        """Ask, saying when each was due by the monotonic clock, and wait for all answers."""

    def __str__(self) -> str:
        """What kind of load this is, in a few words."""


@dataclass(frozen=True)
class OpenLoop:
    """Requests that come as they come: a Poisson process of so many a second, drawn from a seed.

    Nobody waits for the answers to others, as it is where clients know nothing of each other.
    """

    rate: float
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise ConfigError(f"rate={self.rate} asks nothing; choose requests a second above 0")

    def __str__(self) -> str:
        return f"open loop, {self.rate:,g} requests/s"

    async def run(self, ask: Ask, until: float) -> None:
        """Ask when the process says so, however many answers are still to come."""
        due, chance = monotonic(), random.Random(self.seed)
        async with asyncio.TaskGroup() as requests:
            while (due := due + chance.expovariate(self.rate)) < until:
                await asyncio.sleep(due - monotonic())
                requests.create_task(ask(due))


@dataclass(frozen=True)
class ClosedLoop:
    """So many clients, each of which asks again as soon as it was answered."""

    clients: int

    def __post_init__(self) -> None:
        if self.clients < 1:
            raise ConfigError(f"clients={self.clients} ask nothing; choose at least 1")

    def __str__(self) -> str:
        return f"closed loop, {self.clients} client{'s' if self.clients > 1 else ''}"

    async def run(self, ask: Ask, until: float) -> None:
        """Ask until the time is over."""

        async def client() -> None:
            while (now := monotonic()) < until:
                await ask(now)

        async with asyncio.TaskGroup() as clients:
            for _ in range(self.clients):
                clients.create_task(client())


async def measure(
    target: Target, texts: Iterator[str], load: Load, seconds: float, warmup: float = 0.0
) -> Report:
    """Put load on a service; only what is due after `warmup` seconds counts.

    Raises `ServiceError` where not even a first request is answered, before there is any load, and
    `ConfigError` for a URL or a route that cannot be asked.
    """
    if seconds <= 0 or warmup < 0:
        raise ConfigError(f"seconds={seconds:g}, warmup={warmup:g}: nothing could be measured")
    asking = _Asking(target, texts)
    try:
        await asking.require_answer()
        begin = monotonic() + warmup
        await load.run(asking.ask, begin + seconds)
    finally:
        asking.close()
    return Report(str(load), asking.samples, begin, seconds)


class _Asking:
    """Asks a service, and writes down what becomes of each request."""

    def __init__(self, target: Target, texts: Iterator[str]) -> None:
        self.samples: list[Sample] = []
        self._target = target
        self._texts = texts
        address = Address.of(target.url)
        self._client = Client(address, target.route, target.api_key, target.connections)

    async def ask(self, due: float) -> None:
        """Send the next texts; they were due at a time of the monotonic clock."""
        begun = monotonic()
        body = self._body()
        try:
            async with asyncio.timeout(due + self._target.timeout - begun):
                reply = await self._client.ask(body)
        except (OSError, EOFError, ValueError) as error:  # of a time that ran out, too
            kind = "TimeoutError" if isinstance(error, TimeoutError) else "connection"
            answered, said = Answered(0, None, (kind,)), str(error)
            done = monotonic()
        else:
            done = monotonic()
            answered, said = _answered(self._target.route, reply.status, reply.body)
        said = " ".join(said.split())[:_SHOWN]
        self.samples.append(Sample(due, begun, done, answered, said))

    async def require_answer(self) -> None:
        """Raise `ServiceError` where a request is not answered."""
        await self.ask(monotonic())
        first = self.samples.pop()
        if first.answered.errors:
            what = f"{first.answered.errors[0]}: {first.said}".strip(": ")
            raise ServiceError(f"{self._target.url}{self._target.route} does not answer ({what})")

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()

    def _body(self) -> bytes:
        texts = [next(self._texts) for _ in range(self._target.texts)]
        return self._target.route.body(texts, self._target.model)


def _answered(route: Route, status: int, body: bytes) -> tuple[Answered, str]:
    """Return what a reply holds, and what it says where that is an error."""
    from pydantic_core import from_json

    if status != 200:
        return Answered(0, None, (f"status {status}",)), body.decode("utf-8", "replace")
    try:
        return route.read(from_json(body)), ""
    except (ValueError, LookupError, TypeError) as error:
        return Answered(0, None, ("nonsense",)), f"no answer of {route}: {error}"
