"""Texts beside the texts that they shall become: how they are read, and laid into batches."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random

import torch
from torch import Tensor

from manyheads.core.layout import Layout
from manyheads.errors import RecipeError
from manyheads.hub.generation import Bounds
from manyheads.tasks.batch import moved
from manyheads.tasks.reader import Reader
from manyheads.text import Encoded, SubwordSampler, has_parts


@dataclass(frozen=True, slots=True)
class Pair:
    """A source and a target: the cleaned texts, how they were read, and the ids of both sides.

    The decoder begins with `start` and has to write `written`.
    """

    row: int
    cleaned: tuple[str, str]
    texts: tuple[Encoded, Encoded]
    read: array[int]
    written: array[int]
    start: int

    @property
    def tokens(self) -> int:
        """The tokens of both sides."""
        return len(self.read) + len(self.written)

    def digest(self, seed: int) -> int:
        """Return a checksum of both sides, going on from `seed`."""
        return zlib.crc32(self.written, zlib.crc32(self.read, seed))


@dataclass(frozen=True)
class PairReader:
    """Reads a source and a target, which the decoder begins and ends as `bounds` say."""

    source: Reader
    target: Reader
    bounds: Bounds

    def read(self, sources: Sequence[str], targets: Sequence[str]) -> list[Pair]:
        """Return the tokens of each pair; raises `TextError`."""
        sources, targets = self.source.clean(sources), self.target.clean(targets)
        read, written = self.source.read(sources), self.target.read(targets)
        start = self.bounds.start
        return [
            Pair(row, cleaned, texts, texts[0].pieces[0].ids, self._ended(texts[1]), start)
            for row, (cleaned, texts) in enumerate(
                zip(
                    zip(sources, targets, strict=True),
                    zip(read, written, strict=True),
                    strict=True,
                )
            )
        ]

    def redrawn(self, pair: Pair, share: float, random: Random) -> Pair:
        """Return the pair in other pieces: of both sides, that share is left out.

        A side of whole words or characters stays as it is. Raises `RecipeError` where both are.
        """
        source, target = self._samplers
        read, written = pair.read, pair.written
        if source is not None:
            read = source.read(pair.cleaned[0], read, share, random, self.source.truncation)
        if target is not None:
            usual = pair.texts[1].pieces[0].ids
            drawn = target.read(pair.cleaned[1], usual, share, random, self.target.truncation)
            written = self._closed(drawn, pair.texts[1].dropped > 0)
        return replace(pair, read=read, written=written)

    @cached_property
    def _samplers(self) -> tuple[SubwordSampler | None, SubwordSampler | None]:
        source, target = (
            SubwordSampler(one) if has_parts(one) else None
            for one in (self.source.tokenizer, self.target.tokenizer)
        )
        if source is None and target is None:
            raise RecipeError(
                "subword_dropout needs words that are read in parts; this model reads whole words "
                "or characters: set subword_dropout=0"
            )
        return source, target

    def _ended(self, target: Encoded) -> array[int]:
        return self._closed(target.pieces[0].ids, target.dropped > 0)

    def _closed(self, ids: array[int], is_cut: bool) -> array[int]:
        """Return ids with the end behind them, or without where they were cut.

        So nothing is learnt of an end that is none.
        """
        ended = len(ids) > 0 and ids[-1] == self.bounds.end
        if is_cut:
            return ids[:-1] if ended else ids
        return ids if ended else ids + array("i", [self.bounds.end])


@dataclass(frozen=True)
class PairBatch:
    """N pairs laid end to end: S source tokens, T target tokens.

    `inputs` are what the decoder is given, `targets` what it has to say: the same, one place on.
    """

    rows: tuple[int, ...]
    sources: Tensor  # (S)
    source_layout: Layout
    inputs: Tensor  # (T)
    targets: Tensor  # (T)
    layout: Layout

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> PairBatch:
        """Lay pairs end to end."""
        sources, source_layout = Layout.flatten([pair.read for pair in pairs])
        targets, layout = Layout.flatten([pair.written for pair in pairs])
        inputs = targets.roll(1)
        inputs[layout.offsets[:-1]] = pairs[0].start
        rows = tuple(pair.row for pair in pairs)
        return cls(rows, sources, source_layout, inputs, targets, layout)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def tokens(self) -> int:
        """The tokens of both sides."""
        return self.source_layout.tokens + self.layout.tokens

    def to(self, device: torch.device) -> PairBatch:
        """Return the batch on another device."""
        return moved(self, device)
