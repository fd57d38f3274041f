"""A model that is served and writes: texts or dialogues in, texts out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from manyheads.errors import ManyHeadsError
from manyheads.serve.items import Lane
from manyheads.serve.model import Result, ServedModel, visiting
from manyheads.serve.notes import notes
from manyheads.serve.orders import Order, Writing
from manyheads.serve.scribes import Ordered, Scribes

Given = str | Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Patience:
    """Who waits for what is written, and how many seconds."""

    lane: Lane = Lane.INTERACTIVE
    timeout: float | None = None


class ServedWriter(ServedModel):
    """A model that writes."""

    def __init__(self, name: str, scribes: Scribes, threads: ThreadPoolExecutor) -> None:
        super().__init__(name, scribes, threads)
        self._scribes = scribes

    @visiting
    async def order(
        self,
        writing: Writing,
        given: Sequence[Given],
        wordings: Sequence[Mapping[str, Any]],
        asking: Patience = Patience(),
        streams: bool = False,
    ) -> list[Ordered]:
        """Let something be written for each text, or each dialogue: all of it, or nothing.

        Wordings have fields of a wording and of its strategy by name. Raises `TextError` for what
        is no text, and what `Scribes.order` raises; what else is wrong ends what was ordered.
        """
        read = await self._read_tokens(given)
        notes().asks(len(read), sum(read))
        orders = [
            Order(writing, one, wording, *self._cost(tokens, wording), streams)
            for one, wording, tokens in zip(given, wordings, read, strict=True)
        ]
        return self._scribes.order(orders, asking.lane, asking.timeout)

    async def write(
        self,
        writing: Writing,
        given: Sequence[Given],
        wording: Mapping[str, Any],
        asking: Patience = Patience(),
    ) -> list[Result[dict[str, Any]]]:
        """Return what is written for each of several texts, or dialogues, in their order."""
        ordered = await self.order(writing, given, [wording] * len(given), asking)
        try:
            return await asyncio.gather(*map(_result, ordered))
        finally:
            for one in ordered:
                one.leave()

    async def _read_tokens(self, given: Sequence[Given]) -> list[int]:
        """Return how many tokens each text has, or all messages of a dialogue."""
        texts = [[one] if isinstance(one, str) else [m["content"] for m in one] for one in given]
        found = iter(await self.reader.count([text for some in texts for text in some]))
        return [sum(next(found) for _ in some) for some in texts]

    def _cost(self, read: int, wording: Mapping[str, Any]) -> tuple[int, int]:
        """Return how many tokens it takes about to write something, and how many rows."""
        rows = max(wording.get("beams", 1), wording.get("n_best", 1))
        return read + rows * (wording.get("max_tokens") or self.card["max_tokens"]), rows


async def _result(ordered: Ordered) -> Result[dict[str, Any]]:
    try:
        said = await ordered.whole()
    except ManyHeadsError as error:
        return Result(error, 0, 0)
    return Result(said, said["read"], said["truncated"])
