"""Texts beside the texts that they shall become: how they are read, and laid into batches."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from manyheads.core.layout import Layout
from manyheads.tasks.reader import Reader
from manyheads.text import Encoded


@dataclass(frozen=True, slots=True)
class Pair:
    """A source, a target, the target's ids as the decoder has to write them, and the id that it
    begins with.
    """

    row: int
    source: Encoded
    target: Encoded
    written: array[int]
    start: int

    @property
    def read(self) -> array[int]:
        """The source's ids."""
        return self.source.pieces[0].ids

    @property
    def tokens(self) -> int:
        """The tokens of both sides."""
        return len(self.read) + len(self.written)

    @property
    def texts(self) -> tuple[Encoded, ...]:
        """Source and target."""
        return (self.source, self.target)

    def digest(self, seed: int) -> int:
        """Return a checksum of both sides, going on from `seed`."""
        return zlib.crc32(self.written, zlib.crc32(self.read, seed))


@dataclass(frozen=True)
class PairReader:
    """Reads a source and a target: the decoder begins with `start` and ends with `end`."""

    source: Reader
    target: Reader
    start: int
    end: int

    def read(self, sources: Sequence[str], targets: Sequence[str]) -> list[Pair]:
        """Return the tokens of each pair; raises `TextError`.

        A target that was cut ends where it was cut: nothing is learnt of an end that is none.
        """
        read, written = self.source.read(sources), self.target.read(targets)
        return [
            Pair(row, source, target, self._ended(target), self.start)
            for row, (source, target) in enumerate(zip(read, written, strict=True))
        ]

    def _ended(self, target: Encoded) -> array[int]:
        ids = target.pieces[0].ids
        ended = len(ids) > 0 and ids[-1] == self.end
        if target.dropped:
            return ids[:-1] if ended else ids
        return ids if ended else ids + array("i", [self.end])


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
        if self.sources.device == device:
            return self
        return PairBatch(
            self.rows,
            self.sources.to(device, non_blocking=True),
            self.source_layout.to(device),
            self.inputs.to(device, non_blocking=True),
            self.targets.to(device, non_blocking=True),
            self.layout.to(device),
        )
