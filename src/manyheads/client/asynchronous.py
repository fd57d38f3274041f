"""The client of a service for programs with an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from itertools import zip_longest
from typing import Any, Self, TypeVar

import numpy as np

from manyheads.client.connection import Connection, Verify
from manyheads.client.embeddings import Embeddings
from manyheads.client.patience import Deadline
from manyheads.client.search import USUAL, Search
from manyheads.client.wire import (
    Truncate,
    inputs_of,
    items_of,
    number_among_all,
    parts,
    texts_of,
)
from manyheads.errors import (
    ConfigError,
    DeadlineExceeded,
    ManyHeadsError,
    TextError,
    Unreachable,
)

Part = TypeVar("Part")

_LONGEST_LOOK = 1.0  # seconds between two looks whether a service is ready


class AsyncClient:
    """Asks a service, for programs with an event loop: `Client` with `await` before every call.

    Its settings, and what is raised, are those of `Client`.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        verify: Verify = True,
        timeout: float = 600.0,
        retries: int = 6,
        concurrency: int = 4,
        texts_per_request: int = 256,
        bulk: bool = False,
    ) -> None:
        least = {"concurrency": concurrency, "texts_per_request": texts_per_request}
        for name, value in least.items():
            if value < 1:
                raise ConfigError(f"{name}={value} asks nothing; choose at least 1")
        self._connection = Connection(url, headers or {}, api_key, verify, retries)
        self._timeout = timeout
        self._slots = asyncio.Semaphore(concurrency)
        self._texts_per_request = texts_per_request
        self._lane = "bulk" if bulk else "interactive"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of all connections; nothing can be asked behind it."""
        await self._connection.close()

    async def models(self) -> list[str]:
        """Return the names of the models that are served."""
        answer = await self._connection.get("/v1/models", self._deadline(None))
        return [one["id"] for one in answer["data"]]

    async def is_ready(self) -> bool:
        """Whether the service is there, and its models take questions."""
        return await self._connection.is_ready()

    async def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Return once the service is ready; raises `DeadlineExceeded` after so many seconds."""
        deadline, pause = Deadline.within(timeout), 0.05
        while not await self.is_ready():
            if not deadline.left:
                raise DeadlineExceeded(
                    f"{self._connection.url} was not ready in {timeout:g} s; is it running?"
                )
            await asyncio.sleep(min(pause, deadline.left))
            pause = min(2 * pause, _LONGEST_LOOK)

    async def embed(
        self,
        texts: str | Sequence[str],
        *,
        prompt: str | None = None,
        dimensions: int | None = None,
        truncate: Truncate | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> np.ndarray:
        """Return the vectors of texts (N, E); see `Client.embed`."""
        found = await self.embeddings(
            texts,
            prompt=prompt,
            dimensions=dimensions,
            truncate=truncate,
            model=model,
            timeout=timeout,
        )
        return found.vectors

    async def embeddings(
        self,
        texts: str | Sequence[str],
        *,
        prompt: str | None = None,
        dimensions: int | None = None,
        truncate: Truncate | None = None,
        model: str | None = None,
        timeout: float | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Embeddings:
        """Return vectors with what was read of the texts; see `Client.embeddings`."""
        several = texts_of(texts)
        deadline = self._deadline(timeout)
        asked = {
            **self._asked(model, {"truncate": truncate}),
            "prompt": prompt,
            "dimensions": dimensions,
            "encoding": "base64",
        }

        async def ask(part: slice) -> Embeddings:
            some = several[part]
            answer = await self._connection.post("/v1/embed", {**asked, "inputs": some}, deadline)
            items = items_of(answer, len(some))
            progress(len(some))
            return Embeddings.of_items(items, answer["dimensions"])

        return Embeddings.joined(await self._in_parts(ask, list(map(len, several))))

    async def predict(
        self,
        texts: str | Sequence[str],
        pairs: str | Sequence[str] | None = None,
        *,
        truncate: Truncate | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return what a model says of each text, or of each pair; see `Client.predict`."""
        asked = self._asked(model, {"truncate": truncate})
        return await self._items("/v1/predict", texts, asked, timeout, pairs)

    async def fill_mask(
        self,
        texts: str | Sequence[str],
        *,
        top: int = 5,
        truncate: Truncate | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return what may stand behind the masks of each text; see `Client.fill_mask`."""
        asked = self._asked(model, {"truncate": truncate, "top": top})
        return await self._items("/v1/fill-mask", texts, asked, timeout)

    async def answer(
        self,
        questions: str | Sequence[str],
        contexts: str | Sequence[str],
        *,
        top: int = 5,
        refuse: bool | None = None,
        longest: int | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return which part of its context answers each question; see `Client.answer`."""
        asked = self._asked(model, {"top": top, "refuse": refuse, "longest": longest})
        several = texts_of(questions)
        given = [contexts] * len(several) if isinstance(contexts, str) else texts_of(contexts)
        return await self._items("/v1/answer", several, asked, timeout, given)

    async def generate(
        self,
        texts: str | Sequence[str],
        search: Search = USUAL,
        *,
        instruction: str | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return what a model writes for each text; see `Client.generate`."""
        asked = self._asked(model, search.to_json(instruction))
        return await self._items("/v1/generate", texts, asked, timeout)

    async def stream(
        self,
        text: str,
        search: Search = USUAL,
        *,
        instruction: str | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> AsyncGenerator[str, None]:
        """Yield what a model writes for a text, piece by piece; see `Client.stream`."""
        asked = self._asked(model, search.to_json(instruction))
        document = {**asked, "inputs": text, "stream": True}
        events = self._connection.events("/v1/generate", document, self._deadline(timeout))
        async with aclosing(events):
            async for event in events:
                if "done" in event:
                    return
                yield event["text"]
        raise Unreachable(f"{self._connection.url} ended in the middle of a text; ask again")

    async def translate(
        self,
        texts: str | Sequence[str],
        search: Search = USUAL,
        *,
        source: str | None = None,
        target: str | None = None,
        instruction: str | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return a translation of each text; see `Client.translate`."""
        said = {**search.to_json(instruction), "source": source, "target": target}
        asked = self._asked(model, said)
        return await self._items("/v1/translate", texts, asked, timeout)

    async def summarize(
        self,
        texts: str | Sequence[str],
        search: Search = USUAL,
        *,
        instruction: str | None = None,
        model: str | None = None,
        timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return a summary of each text; see `Client.summarize`."""
        asked = self._asked(model, search.to_json(instruction))
        return await self._items("/v1/summarize", texts, asked, timeout)

    async def _items(
        self,
        path: str,
        texts: str | Sequence[str],
        asked: dict[str, Any],
        timeout: float | None,
        pairs: str | Sequence[str] | None = None,
    ) -> list[dict[str, Any]]:
        """Return an item for each text, or for each pair."""
        several = texts_of(texts)
        second = None if pairs is None else texts_of(pairs)
        if second is not None and len(second) != len(several):
            raise TextError(f"{len(several)} texts have {len(second)} pairs; give one for each")
        deadline = self._deadline(timeout)

        async def ask(part: slice) -> list[dict[str, Any]]:
            document = {**asked, **inputs_of(path, several[part], second and second[part])}
            answer = await self._connection.post(path, document, deadline)
            return items_of(answer, part.stop - part.start)

        sizes = [
            len(first) + len(other)
            for first, other in zip_longest(several, second or (), fillvalue="")
        ]
        return [item for items in await self._in_parts(ask, sizes) for item in items]

    async def _in_parts(
        self, ask: Callable[[slice], Awaitable[Part]], sizes: Sequence[int]
    ) -> list[Part]:
        """Return what `ask` gives for each part of texts of these sizes, several at once.

        The first error ends all; it names its text by its number among all.
        """

        async def one(part: slice) -> Part:
            async with self._slots:
                try:
                    return await ask(part)
                except ManyHeadsError as error:
                    number_among_all(error, part.start, part.stop - part.start)
                    raise

        tasks = [asyncio.create_task(one(part)) for part in parts(sizes, self._texts_per_request)]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _asked(self, model: str | None, said: Mapping[str, Any]) -> dict[str, Any]:
        """Return what all requests say, and what is said besides."""
        return {"model": model, "lane": self._lane, **said}

    def _deadline(self, timeout: float | None) -> Deadline:
        return Deadline.within(self._timeout if timeout is None else timeout)
