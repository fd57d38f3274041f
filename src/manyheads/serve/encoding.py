"""An encoder as bert-as-service served it: single layers, pooled in one of its ways.

The names are those of bert-serving-server 1.10.0, whose clients know them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyheads.errors import ConfigError, ManyHeadsError, TextError
from manyheads.serve.batcher import Batcher
from manyheads.serve.items import Answer, Lane, Operation, Question
from manyheads.serve.notes import notes
from manyheads.serve.reading import TextReader
from manyheads.serve.strategy import Strategy
from manyheads.text import Encoded, Head

_PAIR = " ||| "  # stands between the two texts of a pair


@dataclass(frozen=True)
class Encoding:
    """How an encoder is served.

    Attributes:
        layers: Layers whose outputs lie side by side, counted from the last, which is -1.
        strategy: How tokens are pooled.
        max_tokens: Tokens of a text at most, special ones counted; None for what the model reads.
        without_frame: Whether [CLS] and [SEP] are left out of the pooling.
        shows_tokens: Whether clients are told the tokens.
        fixed_length: Whether the matrices of NONE always have `max_tokens` rows.
    """

    layers: tuple[int, ...] = (-2,)
    strategy: Strategy = Strategy.REDUCE_MEAN
    max_tokens: int | None = 25
    without_frame: bool = False
    shows_tokens: bool = False
    fixed_length: bool = False

    def __post_init__(self) -> None:
        if not self.layers:
            raise ConfigError("no layer is to be pooled; choose some, such as -2")
        if self.max_tokens is not None and self.max_tokens < 3:
            raise ConfigError(f"max_seq_len={self.max_tokens} leaves no room for a token; choose 3")
        if self.fixed_length and self.max_tokens is None:
            raise ConfigError("a fixed length needs max_seq_len; choose one")

    def to_json(self) -> dict[str, Any]:
        """Return what a worker is told of it."""
        return {
            "layers": list(self.layers),
            "strategy": self.strategy.value,
            "without_frame": self.without_frame,
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Encoding:
        """Return what a worker was told."""
        return cls(
            tuple(said["layers"]), Strategy(said["strategy"]), without_frame=said["without_frame"]
        )


@dataclass(frozen=True)
class EncodedTexts:
    """The vectors of texts (N, E), or (N, L, D) where they are not pooled; NaN for what failed.

    `tokens` are those of each text, `errors` what went wrong, by the number of the text.
    """

    vectors: np.ndarray
    tokens: list[list[str]]
    errors: dict[int, str]


class ServedEncoder:
    """A model whose layers are served."""

    def __init__(
        self, name: str, batcher: Batcher, encoding: Encoding, threads: ThreadPoolExecutor
    ) -> None:
        self.name = name
        self.reception = batcher
        self.encoding = encoding
        self.reader = TextReader(batcher.card, threads, batcher.limits.texts_per_request)
        self.width: int = batcher.card["width"]
        if encoding.max_tokens is not None:
            self.reader.truncation = Head(min(encoding.max_tokens, self.reader.max_tokens))

    async def encode(self, texts: Sequence[Any], lane: Lane = Lane.INTERACTIVE) -> EncodedTexts:
        """Return the vectors of texts, "a ||| b" for pairs, or of lists of tokens.

        What is no text fails by itself; the others are answered. Raises what `Batcher.ask` raises.
        """
        notes().model = self.name
        read = await self._read(texts)
        good = [one for one in read if isinstance(one, Encoded)]
        questions = [Question(Operation("encode"), one) for one in good]
        notes().asks(len(questions), sum(one.tokens for one in questions))
        answers = iter(await self.reception.ask(questions, lane))
        outcomes = [next(answers) if isinstance(one, Encoded) else one for one in read]
        errors = {row: str(one) for row, one in enumerate(outcomes) if not isinstance(one, Answer)}
        tokens = [
            self.reader.tokenizer.tokens(one.pieces[0].ids) if isinstance(one, Encoded) else []
            for one in read
        ]
        return EncodedTexts(self._laid_out(outcomes), tokens, errors)

    def failed(self, count: int, error: str) -> EncodedTexts:
        """Return what so many texts have where all of them failed."""
        vectors = self._laid_out([error] * count)
        return EncodedTexts(vectors, [[]] * count, dict.fromkeys(range(count), error))

    async def _read(self, texts: Sequence[Any]) -> list[Encoded | str]:
        """Return the tokens of each text, or why it has none."""
        read: list[Encoded | str] = ["an item is no text and no list of tokens"] * len(texts)
        for paired in (False, True):
            rows = [
                row
                for row, text in enumerate(texts)
                if isinstance(text, str) and (_PAIR in text) is paired
            ]
            found = await self._read_alike([texts[row].split(_PAIR, 1) for row in rows])
            for row, one in zip(rows, found, strict=True):
                read[row] = one
        for row, text in enumerate(texts):
            if isinstance(text, list) and all(isinstance(token, str) for token in text):
                read[row] = self.reader.of_tokens(text)
        return read

    async def _read_alike(self, parts: Sequence[Sequence[str]]) -> Sequence[Encoded | str]:
        """Return the tokens of single texts, or of pairs; where one is refused, of each alone."""
        try:
            pairs = [part[1] for part in parts if len(part) == 2]
            return await self.reader.read([part[0] for part in parts], pairs or None)
        except TextError as error:
            if len(parts) == 1:
                return [str(error)]
            return [one for part in parts for one in await self._read_alike([part])]

    def _laid_out(self, outcomes: Sequence[Answer | ManyHeadsError | str]) -> np.ndarray:
        """Return one row for each text; matrices of different lengths end in zeros."""
        found = [one.arrays[0] if isinstance(one, Answer) else None for one in outcomes]
        if self.encoding.strategy is not Strategy.NONE:
            both = 2 if self.encoding.strategy is Strategy.REDUCE_MEAN_MAX else 1
            size = next((len(one) for one in found if one is not None), both * self.width)
            missing = np.full(size, np.nan, np.float32)
            return np.stack([missing if one is None else one for one in found])
        longest = max((len(one) for one in found if one is not None), default=1)
        if self.encoding.fixed_length and self.encoding.max_tokens is not None:
            longest = self.encoding.max_tokens
        size = next((one.shape[1] for one in found if one is not None), self.width)
        rows = np.zeros((len(found), longest, size), np.float32)
        for row, one in zip(rows, found, strict=True):
            if one is None:
                row[:] = np.nan
            else:
                row[: len(one)] = one
        return rows
