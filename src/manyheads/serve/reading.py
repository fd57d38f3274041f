"""From texts to questions, in the service itself: the tokenizer of its model, and no model.

Much is read in threads, a thousand texts at a time, so that the service goes on answering; the
tokenizers library lets go of Python's lock while it works. A question of a person is read at once.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import Any

from manyheads.errors import TextError, TooLong, TooMany
from manyheads.serve.notes import notes
from manyheads.text import (
    Cleaning,
    Encoded,
    Head,
    Piece,
    Prompts,
    Tail,
    Tokenizer,
    Truncation,
    Windows,
    truncation_from_json,
)

_AT_ONCE = 1_000  # texts
_AT_HAND = 1_000  # characters: to ask a thread for so few takes longer than to read them


class Cut(Enum):
    """What becomes of a text that is longer than the model reads."""

    ERROR = "error"
    HEAD = "head"
    TAIL = "tail"
    WINDOWS = "windows"


class TextReader:
    """Reads texts as a worker's card says that its model does; at most so many of a request."""

    def __init__(self, card: Mapping[str, Any], threads: ThreadPoolExecutor, most: int) -> None:
        self.tokenizer = Tokenizer.from_json(card["tokenizer"])
        self.cleaning = Cleaning.from_json(card["cleaning"])
        self.truncation = truncation_from_json(card["truncation"])
        self.prompts = Prompts.from_json(card.get("prompts") or {})
        self._threads = threads
        self._most = most

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
        Raises `TextError` for what is no text, has no tokens, or is too long and not to be cut, and
        for too many texts.
        """
        if not len(texts):
            return []
        self._require_few(texts)
        given = (*texts, *(pairs or ()))
        with notes().reading():
            if sum(len(text) for text in given if isinstance(text, str)) < _AT_HAND:
                encoded = self._read(texts, pairs, cut, prompt)
            else:
                encoded = await self._read_in_threads(texts, pairs, cut, prompt)
        self._check(encoded, cut)
        return encoded

    async def _read_in_threads(
        self, texts: Sequence[str], pairs: Sequence[str] | None, cut: Cut | None, prompt: str
    ) -> list[Encoded]:
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
                part.start + 1,
            )
            for part in parts
        ]
        return [one for some in await asyncio.gather(*read) for one in some]

    async def count(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has; raises `TextError` for no text or too many."""
        self._require_few(texts)
        loop = asyncio.get_running_loop()
        with notes().reading():
            encoded = await loop.run_in_executor(self._threads, self.tokenizer.encode, list(texts))
        return [one.tokens for one in encoded]

    def _read(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None,
        cut: Cut | None,
        prompt: str,
        first: int = 1,
    ) -> list[Encoded]:
        texts = self.prompts.before(prompt, self._clean(texts))
        second = None if pairs is None else self._clean(pairs)
        truncation = self._truncation(cut)
        return self.tokenizer.encode(texts, second, truncation=truncation, first=first)

    def _clean(self, texts: Sequence[str]) -> list[str]:
        return [self.cleaning(text) if isinstance(text, str) else text for text in texts]

    def _require_few(self, texts: Sequence[Any]) -> None:
        if len(texts) > self._most:
            raise TooMany(
                f"{len(texts):,} texts exceed the {self._most:,} of a request; send fewer"
            )

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
                raise TooLong(
                    f"text {number} has {one.tokens} tokens and the model reads {self.max_tokens}; "
                    "shorten it, or let it be cut (truncate)"
                )

    def of_ids(self, texts: Sequence[Sequence[int]], cut: Cut | None = None) -> list[Encoded]:
        """Return texts that came as the ids of this vocabulary, special tokens and all.

        Raises `TextError` for ids of another vocabulary, and what `read` raises.
        """
        self._require_few(texts)
        encoded = [self._of_ids(ids, number, cut) for number, ids in enumerate(texts, 1)]
        self._check(encoded, cut)
        return encoded

    def _of_ids(self, ids: Sequence[int], number: int, cut: Cut | None) -> Encoded:
        self._require_own(ids, number)
        spans = [
            slice(start, end)
            for (((start, end),),) in self._truncation(cut).cuts([len(ids)], self.max_tokens)
        ]
        pieces = (array("i", ids[span]) for span in spans)
        kept = sum(len(ids[span]) for span in spans)
        return Encoded(
            tuple(Piece(one, array("B", bytes(len(one))), None) for one in pieces),
            len(ids),
            max(0, len(ids) - kept),
        )

    def decode(self, texts: Sequence[Sequence[int]], skip_special: bool) -> list[str]:
        """Return the text of ids of this vocabulary; raises `TextError` for others."""
        for number, ids in enumerate(texts, 1):
            self._require_own(ids, number)
        return [self.tokenizer.decode(ids, skip_special=skip_special) for ids in texts]

    def _require_own(self, ids: Sequence[int], number: int) -> None:
        """Raise `TextError` for ids that this vocabulary has not."""
        size = self.tokenizer.vocabulary_size
        wrong = next((one for one in ids if not 0 <= one < size), None)
        if wrong is not None:
            raise TextError(
                f"text {number}: token {wrong} is outside the {size} tokens of this model; send "
                "text, or the ids of its own tokenizer"
            )

    def spells(self, ids: Sequence[int]) -> bool:
        """Whether this tokenizer makes these ids, without special tokens, of what they spell."""
        if any(not 0 <= one < self.tokenizer.vocabulary_size for one in ids):
            return False
        (again,) = self.tokenizer.encode([self.tokenizer.decode(ids)], frame=False)
        plain = [one for one in ids if one not in self.tokenizer.special_ids]
        return again.pieces[0].ids.tolist() == plain

    def tokens(self, text: str, framed: bool) -> list[dict[str, Any]]:
        """Return the tokens of a text: id, text, whether it is special, and its characters."""
        (encoded,) = self.tokenizer.encode([text], offsets=True, frame=framed)
        piece = encoded.pieces[0]
        assert piece.offsets is not None
        rows = zip(piece.ids, self.tokenizer.tokens(piece.ids), piece.offsets, strict=True)
        return [
            {
                "id": number,
                "text": token if number in self.tokenizer.special_ids else text[start:stop],
                "special": number in self.tokenizer.special_ids,
                "start": None if number in self.tokenizer.special_ids else start,
                "stop": None if number in self.tokenizer.special_ids else stop,
            }
            for number, token, (start, stop) in rows
        ]

    def of_tokens(self, tokens: Sequence[str]) -> Encoded:
        """Return a text that came as tokens, framed and cut; what is none is the unknown one.

        A model without an unknown token has its other tokens alone.
        """
        known = (self.tokenizer.id_of(token) for token in tokens)
        ids = [self.tokenizer.unk_id if one is None else one for one in known]
        before, behind = self.tokenizer.frame
        room = self.max_tokens - len(before) - len(behind)
        kept = [one for one in ids if one is not None][:room]
        whole = array("i", [*before, *kept, *behind])
        piece = Piece(whole, array("B", bytes(len(whole))), None)
        dropped = len(tokens) - len(kept)
        return Encoded((piece,), len(whole) + dropped, dropped)
