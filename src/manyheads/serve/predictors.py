"""Models that say something of texts: labels, numbers, or tags of their words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyheads.errors import ManyHeadsError, TextError
from manyheads.serve.batcher import Batcher
from manyheads.serve.items import Answer, Operation
from manyheads.serve.model import AskedModel, Asking, Result, visiting


@dataclass(frozen=True)
class Prediction:
    """What a model says of a text: `said` as JSON, and its raw outputs (C)."""

    said: Any
    outputs: np.ndarray


class ServedPredictor(AskedModel, ABC):
    """A model that says something of texts: labels or numbers, or tags of words."""

    def __init__(self, name: str, batcher: Batcher, threads: ThreadPoolExecutor) -> None:
        super().__init__(name, batcher, threads)
        self.task: str = self.card["task"]
        self.labels: list[str] = self.card["labels"]

    @abstractmethod
    async def said(
        self, texts: Sequence[str], asking: Asking, pairs: Sequence[str] | None = None
    ) -> list[Result[dict[str, Any]]]:
        """Return what the model says of each text, or of each pair, by name.

        Raises `TextError`, and what `Batcher.ask` raises.
        """


class ServedLabeller(ServedPredictor):
    """A model that says labels or numbers; one that is `paired` was trained on pairs alone."""

    def __init__(self, name: str, batcher: Batcher, threads: ThreadPoolExecutor) -> None:
        super().__init__(name, batcher, threads)
        self.paired: bool = self.card["paired"]

    async def said(
        self, texts: Sequence[str], asking: Asking, pairs: Sequence[str] | None = None
    ) -> list[Result[dict[str, Any]]]:
        """Return label and probabilities, labels, or value; see `ServedPredictor.said`."""
        return [
            Result(_by_name(one.value), one.tokens, one.dropped)
            for one in await self.predict(texts, asking, pairs)
        ]

    @visiting
    async def predict(
        self, texts: Sequence[str], asking: Asking, pairs: Sequence[str] | None = None
    ) -> list[Result[Prediction]]:
        """Return what the model says of each text, or of each pair.

        Raises `TextError`, also where there are not as many pairs, or none for a model that reads
        pairs alone, and what `Batcher.ask` raises.
        """
        if self.paired and pairs is None:
            raise TextError(f"the model {self.name} was trained on pairs; send a second text each")
        if pairs is not None and len(pairs) != len(texts):
            raise TextError(f"{len(texts)} texts have {len(pairs)} pairs; give one for each")
        encoded = await self.reader.read(texts, pairs, asking.cut)
        answers = await self._ask(encoded, Operation("predict"), asking)
        return [
            Result(_prediction(answer), one.tokens, one.dropped)
            for answer, one in zip(answers, encoded, strict=True)
        ]

    def scores(self, prediction: Prediction) -> np.ndarray:
        """Return how well each label fits, from 0 to 1, (C)."""
        if isinstance(prediction.said, dict) and "probabilities" in prediction.said:
            by_label = prediction.said["probabilities"]
            return np.array([by_label[label] for label in self.labels])
        return 1 / (1 + np.exp(-prediction.outputs))


class ServedTagger(ServedPredictor):
    """A model that tags words: it finds entities, or says what each word is."""

    def __init__(self, name: str, batcher: Batcher, threads: ThreadPoolExecutor) -> None:
        super().__init__(name, batcher, threads)
        self.finds_entities: bool = self.card["finds_entities"]

    async def said(
        self, texts: Sequence[str], asking: Asking, pairs: Sequence[str] | None = None
    ) -> list[Result[dict[str, Any]]]:
        """Return the `entities` of each text, or its `words`; see `ServedPredictor.said`."""
        if pairs is not None:
            raise TextError(f"the model {self.name} tags the words of single texts; send no pairs")
        by_words = not self.finds_entities
        name = "words" if by_words else "entities"
        return [
            Result(_named(name, one.value), one.tokens, one.dropped)
            for one in await self.tag(texts, asking, by_words)
        ]

    @visiting
    async def tag(
        self, texts: Sequence[str], asking: Asking, by_words: bool = False
    ) -> list[Result[list[dict[str, Any]]]]:
        """Return the entities of each text, or each of its words: start, end, label, text, and
        probability.

        Nothing is cut, whatever is asked: a long text is read in windows. Raises `TextError`, and
        what `Batcher.ask` raises.
        """
        encoded = await self.reader.read(texts)
        operation = Operation("tag", (("words", by_words),))
        answers = await self._ask(encoded, operation, asking, texts)
        return [
            Result(
                answer if isinstance(answer, ManyHeadsError) else answer.said,
                one.tokens,
                one.dropped,
            )
            for answer, one in zip(answers, encoded, strict=True)
        ]


def _prediction(answer: Answer | ManyHeadsError) -> Prediction | ManyHeadsError:
    if isinstance(answer, ManyHeadsError):
        return answer
    (outputs_C,) = answer.arrays
    return Prediction(answer.said, outputs_C)


def _by_name(prediction: Prediction | ManyHeadsError) -> dict[str, Any] | ManyHeadsError:
    if isinstance(prediction, ManyHeadsError):
        return prediction
    return prediction.said if isinstance(prediction.said, dict) else {"value": prediction.said}


def _named(name: str, value: Any) -> dict[str, Any] | ManyHeadsError:
    return value if isinstance(value, ManyHeadsError) else {name: value}
