"""A model that is served: texts in, vectors, labels, tags or filled masks out, by its batcher.

texts ─ read ─→ questions ─ ask ─→ answers ─→ results, one for each text, in their order
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

import numpy as np

from manyheads.core.similarity import kept_dimensions, mean_of_windows, shortened
from manyheads.errors import ManyHeadsError, TextError
from manyheads.serve.batcher import Batcher
from manyheads.serve.items import Answer, Lane, Operation, Question
from manyheads.serve.notes import notes
from manyheads.serve.reading import Cut, TextReader
from manyheads.serve.reception import Reception
from manyheads.text import Encoded

Value = TypeVar("Value")
Params = ParamSpec("Params")
Self_ = TypeVar("Self_", bound="ServedModel")


@dataclass(frozen=True)
class Asking:
    """How something is asked: what is cut, who waits, and how many seconds."""

    cut: Cut | None = None
    lane: Lane = Lane.INTERACTIVE
    timeout: float | None = None


@dataclass(frozen=True)
class Result(Generic[Value]):
    """What came of one text.

    `tokens` are those of the text as it is, `dropped` those that the model did not see.
    """

    value: Value | ManyHeadsError
    tokens: int
    dropped: int


def values_of(results: Sequence[Result[Value]]) -> list[Value]:
    """Return what came of all texts; raises the error of the first that has one."""
    values = []
    for one in results:
        if isinstance(one.value, ManyHeadsError):
            raise one.value
        values.append(one.value)
    return values


class ServedModel:
    """What all kinds of models have in common: who lets clients in, and who reads their texts."""

    def __init__(self, name: str, reception: Reception[Any], threads: ThreadPoolExecutor) -> None:
        self.name = name
        self.reception = reception
        self.card = reception.card
        self.reader = TextReader(self.card, threads, reception.limits.texts_per_request)


def visiting(
    method: Callable[Concatenate[Self_, Params], Coroutine[Any, Any, Value]],
) -> Callable[Concatenate[Self_, Params], Coroutine[Any, Any, Value]]:
    """Let a model not retire while it is asked something, which is noted."""

    @wraps(method)
    async def visit(self: Self_, /, *given: Params.args, **named: Params.kwargs) -> Value:
        notes().model = self.name
        with self.reception.visited():
            return await method(self, *given, **named)

    return visit


class AskedModel(ServedModel):
    """A model that answers questions in batches."""

    def __init__(self, name: str, batcher: Batcher, threads: ThreadPoolExecutor) -> None:
        super().__init__(name, batcher, threads)
        self._batcher = batcher

    async def _ask(
        self,
        encoded: Sequence[Encoded],
        operation: Operation,
        asking: Asking,
        texts: Sequence[str | None] = (),
        pairs: Sequence[str | None] = (),
    ) -> list[Answer | ManyHeadsError]:
        texts, pairs = (given or [None] * len(encoded) for given in (texts, pairs))
        questions = [Question(operation, *one) for one in zip(encoded, texts, pairs, strict=True)]
        notes().asks(len(questions), sum(one.tokens for one in questions))
        return await self._batcher.ask(questions, asking.lane, asking.timeout)


class ServedEmbedder(AskedModel):
    """A model that makes vectors of texts."""

    def __init__(self, name: str, batcher: Batcher, threads: ThreadPoolExecutor) -> None:
        super().__init__(name, batcher, threads)
        self.dimensions: int = self.card["dimensions"]
        self.has_unit_length: bool = self.card["unit_length"]

    @visiting
    async def embed(
        self,
        texts: Sequence[str],
        asking: Asking,
        prompt: str | None = None,
        dimensions: int | None = None,
        unit_length: bool | None = None,
    ) -> list[Result[np.ndarray]]:
        """Return a vector (E) for each text; the mean of its windows where it was cut into them.

        `unit_length` says that vectors shall have length 1, or that of no step behind the pooling;
        without it they are as the model was trained. Raises `ConfigError` for a prompt or
        dimensions that there are not, `TextError`, and what `Batcher.ask` raises.
        """
        prompts = self.reader.prompts
        before = prompts.named(prompt)
        uncounted = prompts.uncounted(before, self.reader.tokenizer)
        encoded = await self.reader.read(texts, cut=asking.cut, prompt=before)
        return await self._embedded(encoded, asking, dimensions, unit_length, uncounted)

    @visiting
    async def embed_ids(
        self,
        texts: Sequence[Sequence[int]],
        asking: Asking,
        dimensions: int | None = None,
        unit_length: bool | None = None,
    ) -> list[Result[np.ndarray]]:
        """Return a vector (E) for each text that came as ids, special tokens and all."""
        encoded = self.reader.of_ids(texts, asking.cut)
        return await self._embedded(encoded, asking, dimensions, unit_length)

    @visiting
    async def tokens(
        self, texts: Sequence[str], asking: Asking, prompt: str | None = None
    ) -> list[Result[Sequence[np.ndarray]]]:
        """Return the vectors (T, D) of the tokens of each text, for each of its windows."""
        before = self.reader.prompts.named(prompt)
        encoded = await self.reader.read(texts, cut=asking.cut, prompt=before)
        answers = await self._ask(encoded, Operation("tokens"), asking)
        return [
            Result(_arrays(answer), one.tokens, one.dropped)
            for answer, one in zip(answers, encoded, strict=True)
        ]

    async def _embedded(
        self,
        encoded: Sequence[Encoded],
        asking: Asking,
        dimensions: int | None,
        unit_length: bool | None,
        uncounted: int = 0,
    ) -> list[Result[np.ndarray]]:
        kept = kept_dimensions(dimensions, self.dimensions)
        is_unit = self.has_unit_length if unit_length is None else unit_length
        settings = (("uncounted", uncounted), ("unit_length", is_unit))
        answers = await self._ask(encoded, Operation("embed", settings), asking)
        return [
            Result(self._vector(answer, one, kept, is_unit), one.tokens, one.dropped)
            for answer, one in zip(answers, encoded, strict=True)
        ]

    def _vector(
        self, answer: Answer | ManyHeadsError, encoded: Encoded, kept: int, is_unit: bool
    ) -> np.ndarray | ManyHeadsError:
        if isinstance(answer, ManyHeadsError):
            return answer
        (vectors_WE,) = answer.arrays
        vector = vectors_WE[0]
        if len(vectors_WE) > 1:
            tokens = np.array([len(piece.ids) for piece in encoded.pieces], np.float32)
            vector = mean_of_windows(vectors_WE, tokens, is_unit)
        if kept < self.dimensions or is_unit > self.has_unit_length:
            return shortened(vector, kept, is_unit)
        return vector


class ServedFiller(AskedModel):
    """A model that fills in masks."""

    def __init__(self, name: str, batcher: Batcher, threads: ThreadPoolExecutor) -> None:
        super().__init__(name, batcher, threads)
        self.mask: str = self.card["mask"]

    @visiting
    async def fill(self, texts: Sequence[str], asking: Asking, top: int = 5) -> list[Result[Any]]:
        """Return each text with the `top` best tokens for each of its masks.

        Raises `TextError` for texts without any, and what `Batcher.ask` raises.
        """
        encoded = await self.reader.read(texts, cut=asking.cut)
        for number, text in enumerate(texts, 1):
            if self.mask not in text:
                raise TextError(
                    f"text {number} has no mask; write {self.mask} in the place of a token"
                )
        answers = await self._ask(encoded, Operation("fill", (("top", top),)), asking, texts)
        return [
            Result(
                answer if isinstance(answer, ManyHeadsError) else answer.said,
                one.tokens,
                one.dropped,
            )
            for answer, one in zip(answers, encoded, strict=True)
        ]


def _arrays(answer: Answer | ManyHeadsError) -> Sequence[np.ndarray] | ManyHeadsError:
    return answer if isinstance(answer, ManyHeadsError) else answer.arrays
