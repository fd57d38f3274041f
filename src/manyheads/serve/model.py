"""A model that is served: texts in, vectors or labels out, by its batcher.

texts ─ read ─→ questions ─ ask ─→ answers ─→ results, one for each text, in their order
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from manyheads.core.similarity import Similarity, mean_of_windows, shortened
from manyheads.errors import ConfigError, ServiceError
from manyheads.serve.batcher import Batcher
from manyheads.serve.items import Answer, Lane, Operation, Question
from manyheads.serve.reading import Cut, TextReader
from manyheads.text import Encoded

Value = TypeVar("Value")


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

    value: Value | ServiceError
    tokens: int
    dropped: int


class ServedModel:
    """What all kinds of models have in common."""

    def __init__(self, name: str, batcher: Batcher, threads: ThreadPoolExecutor) -> None:
        self.name = name
        self.batcher = batcher
        self.card = batcher.card
        self.reader = TextReader(self.card, threads)

    async def _ask(
        self, encoded: Sequence[Encoded], operation: Operation, asking: Asking
    ) -> list[Answer | ServiceError]:
        questions = [Question(operation, one) for one in encoded]
        return await self.batcher.ask(questions, asking.lane, asking.timeout)


class ServedEmbedder(ServedModel):
    """A model that makes vectors of texts."""

    def __init__(self, name: str, batcher: Batcher, threads: ThreadPoolExecutor) -> None:
        super().__init__(name, batcher, threads)
        self.dimensions: int = self.card["dimensions"]
        self.has_unit_length: bool = self.card["unit_length"]
        self.similarity = Similarity(self.card["similarity"])

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
        kept = self._kept(dimensions)
        is_unit = self.has_unit_length if unit_length is None else unit_length
        settings = (("uncounted", uncounted), ("unit_length", is_unit))
        answers = await self._ask(encoded, Operation("embed", settings), asking)
        return [
            Result(self._vector(answer, one, kept, is_unit), one.tokens, one.dropped)
            for answer, one in zip(answers, encoded, strict=True)
        ]

    def _vector(
        self, answer: Answer | ServiceError, encoded: Encoded, kept: int, is_unit: bool
    ) -> np.ndarray | ServiceError:
        if isinstance(answer, ServiceError):
            return answer
        (vectors_WE,) = answer.arrays
        vector = vectors_WE[0]
        if len(vectors_WE) > 1:
            tokens = np.array([len(piece.ids) for piece in encoded.pieces], np.float32)
            vector = mean_of_windows(vectors_WE, tokens, is_unit)
        if kept < self.dimensions or is_unit > self.has_unit_length:
            return shortened(vector, kept, is_unit)
        return vector

    def _kept(self, dimensions: int | None) -> int:
        if dimensions is None:
            return self.dimensions
        if not 1 <= dimensions <= self.dimensions:
            raise ConfigError(
                f"dimensions={dimensions} of vectors that have {self.dimensions}; choose 1 to "
                f"{self.dimensions}"
            )
        return dimensions


@dataclass(frozen=True)
class Prediction:
    """What a model says of a text: `said` as JSON, and its raw outputs (C)."""

    said: Any
    outputs: np.ndarray


class ServedLabeller(ServedModel):
    """A model that says labels or numbers."""

    def __init__(self, name: str, batcher: Batcher, threads: ThreadPoolExecutor) -> None:
        super().__init__(name, batcher, threads)
        self.task: str = self.card["task"]
        self.labels: list[str] = self.card["labels"]

    async def predict(
        self, texts: Sequence[str], asking: Asking, pairs: Sequence[str] | None = None
    ) -> list[Result[Prediction]]:
        """Return what the model says of each text, or of each pair.

        Raises `TextError`, and what `Batcher.ask` raises.
        """
        encoded = await self.reader.read(texts, pairs, asking.cut)
        answers = await self._ask(encoded, Operation("predict"), asking)
        return [
            Result(_prediction(answer), one.tokens, one.dropped)
            for answer, one in zip(answers, encoded, strict=True)
        ]

    def scores(self, prediction: Prediction) -> np.ndarray:
        """Return how well each label fits, from 0 to 1, (C)."""
        if isinstance(prediction.said, dict):
            by_label = prediction.said["probabilities"]
            return np.array([by_label[label] for label in self.labels])
        return 1 / (1 + np.exp(-prediction.outputs))


def _arrays(answer: Answer | ServiceError) -> Sequence[np.ndarray] | ServiceError:
    return answer if isinstance(answer, ServiceError) else answer.arrays


def _prediction(answer: Answer | ServiceError) -> Prediction | ServiceError:
    if isinstance(answer, ServiceError):
        return answer
    (outputs_C,) = answer.arrays
    return Prediction(answer.said, outputs_C)


_KINDS = {"embedding": ServedEmbedder, "labelling": ServedLabeller}


def served(name: str, batcher: Batcher, threads: ThreadPoolExecutor) -> ServedModel:
    """Return the model that a batcher's workers have opened."""
    return _KINDS[batcher.card["kind"]](name, batcher, threads)
