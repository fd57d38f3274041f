"""From texts to questions, in the service itself: the tokenizer of its model, and no model.

Reading is done in threads, a thousand texts at a time, so that the service goes on answering; the
tokenizers library lets go of Python's lock while it works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import Any

from manyheads.errors import TextError
from manyheads.text import (
    Cleaning,
    Encoded,
    Head,
    Prompts,
    Tail,
    Tokenizer,
    Truncation,
    Windows,
    truncation_from_json,
)

_AT_ONCE = 1_000  # texts


class Cut(Enum):
    """What becomes of a text that is longer than the model reads."""

    ERROR = "error"
    HEAD = "head"
    TAIL = "tail"
    WINDOWS = "windows"


class TextReader:
    """Reads texts as a worker's card says that its model does."""

    def __init__(self, card: Mapping[str, Any], threads: ThreadPoolExecutor) -> None:
        self.tokenizer = Tokenizer.from_json(card["tokenizer"])
        self.cleaning = Cleaning.from_json(card["cleaning"])
        self.truncation = truncation_from_json(card["truncation"])
        self.prompts = Prompts.from_json(card.get("prompts") or {})
        self._threads = threads

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text the model reads at once."""
        return self.truncation.max_tokens

    async def read(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        cut: Cut | None = None,
        prompt: str = "",
    ) -> list[Encoded]:
        """Return the tokens of each text, or of each pair, behind a prompt.

        `cut` says what becomes of what is too long; without it, what the model's folder says.
        Raises `TextError` for what is no text, has no tokens, or is too long and not to be cut.
        """
        loop = asyncio.get_running_loop()
        parts = [slice(start, start + _AT_ONCE) for start in range(0, len(texts), _AT_ONCE)]
        read = [
            loop.run_in_executor(
                self._threads,
                self._read,
                texts[part],
                None if pairs is None else pairs[part],
                cut,
                prompt,
            )
            for part in parts
        ]
        encoded = [one for some in await asyncio.gather(*read) for one in some]
        self._check(encoded, cut)
        return encoded

    def _read(
        self, texts: Sequence[str], pairs: Sequence[str] | None, cut: Cut | None, prompt: str
    ) -> list[Encoded]:
        texts = self.prompts.before(prompt, self._clean(texts))
        second = None if pairs is None else self._clean(pairs)
        return self.tokenizer.encode(texts, second, truncation=self._truncation(cut))

    def _clean(self, texts: Sequence[str]) -> list[str]:
        return [self.cleaning(text) if isinstance(text, str) else text for text in texts]

    def _truncation(self, cut: Cut | None) -> Truncation:
        match cut:
            case None:
                return self.truncation
            case Cut.HEAD | Cut.ERROR:
                return Head(self.max_tokens)
            case Cut.TAIL:
                return Tail(self.max_tokens)
            case Cut.WINDOWS:
                return Windows(self.max_tokens)

    def _check(self, encoded: Sequence[Encoded], cut: Cut | None) -> None:
        for number, one in enumerate(encoded, 1):
            if not one.tokens:
                raise TextError(f"text {number} has no tokens; leave it out")
            if cut is Cut.ERROR and one.dropped:
                raise TextError(
                    f"text {number} has {one.tokens} tokens and the model reads {self.max_tokens}; "
                    "shorten it, or let it be cut (truncate)"
                )
