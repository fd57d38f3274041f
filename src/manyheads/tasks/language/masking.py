"""Which tokens of a text are hidden, and behind what (Devlin et al. 2019, section 3.1)."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyheads.core.layout import Layout
from manyheads.tasks.batch import moved
from manyheads.tasks.reader import Reader
from manyheads.text import Encoded, Piece, Segmenter

_HIDDEN, _REPLACED = 0.8, 0.1  # of the chosen tokens; the rest stay as they are

Ints = NDArray[np.int64]


class Unit(Enum):
    """What is hidden as a whole, so that no part of it gives the rest away."""

    TOKENS = "tokens"
    WORDS = "words"  # as the tokenizer splits text: ##pieces go with their word
    CHINESE_WORDS = "chinese-words"  # as jieba splits text, which has no spaces


@dataclass(frozen=True, eq=False)
class Masking:
    """How much is hidden: `share` of the tokens, behind `mask_id` or one of `others`."""

    share: float
    mask_id: int
    others: Ints

    def hide(self, passage: Passage, random: np.random.Generator) -> tuple[Ints, Ints]:
        """Return the passage's ids with some of them hidden, and the places of those.

        Of the places chosen, 80 % show the mask, 10 % a random token and 10 % what was there.
        """
        ids = np.frombuffer(passage.piece.ids, dtype=np.int32).astype(np.int64)
        places = self._choose(np.frombuffer(passage.units, dtype=np.int32), random)
        fate = random.random(len(places))
        ids[places[fate < _HIDDEN]] = self.mask_id
        replaced = places[(fate >= _HIDDEN) & (fate < _HIDDEN + _REPLACED)]
        ids[replaced] = random.choice(self.others, len(replaced))
        return ids, places

    def _choose(self, units_T: NDArray[np.int32], random: np.random.Generator) -> Ints:
        """Return the places of whole units in a random order, as many as the share allows.

        There is at least one; a unit that would be too much is passed over.
        """
        names, sizes = np.unique(units_T[units_T >= 0], return_counts=True)
        if not len(names):
            return np.zeros(0, dtype=np.int64)
        room = max(1, round(self.share * int(sizes.sum())))
        chosen: list[int] = []
        for at in random.permutation(len(names)):
            if sizes[at] <= room or not chosen:
                chosen.append(int(names[at]))
                room -= int(sizes[at])
            if room <= 0:
                break
        return np.flatnonzero(np.isin(units_T, chosen))


@dataclass(frozen=True, slots=True)
class Passage:
    """A text, or a window of one: its tokens, and the unit that each belongs to (-1: none)."""

    row: int
    number: int  # of the windows of its row
    piece: Piece
    units: array[int]
    texts: tuple[Encoded, ...]
    masking: Masking

    @property
    def tokens(self) -> int:
        """How many tokens it has."""
        return len(self.piece.ids)

    def digest(self, seed: int) -> int:
        """Return a checksum of tokens and units, going on from `seed`."""
        return zlib.crc32(self.units, zlib.crc32(self.piece.ids, seed))


@dataclass(frozen=True)
class PassageReader:
    """Reads texts as passages: `reader` cuts them, `masking` says what is hidden of them."""

    reader: Reader
    masking: Masking
    unit: Unit

    def read(self, texts: Sequence[str]) -> list[Passage]:
        """Return the passages of all texts; raises `TextError`."""
        reader, by_jieba = self.reader, self.unit is Unit.CHINESE_WORDS
        cleaned = reader.clean(texts)
        encoded = reader.tokenizer.encode(
            cleaned,
            truncation=reader.truncation,
            offsets=by_jieba,
            words=not by_jieba,
        )
        segmenter = Segmenter() if by_jieba else None
        passages = []
        for row, (text, one) in enumerate(zip(cleaned, encoded, strict=True)):
            owners = None if segmenter is None else _owners(text, segmenter)
            for number, piece in enumerate(one.pieces):
                units = array("i", self._units(piece, owners))
                # Offsets and words have served their purpose.
                kept = Piece(piece.ids, piece.segments, None)
                counted = () if number else (one,)
                passages.append(Passage(row, number, kept, units, counted, self.masking))
        return passages

    def _units(self, piece: Piece, owners: list[int] | None) -> Iterator[int]:
        """Yield the unit of each token; special ones belong to none."""
        special = self.reader.tokenizer.special_ids
        for place, number in enumerate(piece.ids):
            if number in special:
                yield -1
            elif owners is not None:
                assert piece.offsets is not None
                yield owners[piece.offsets[place][0]]
            elif self.unit is Unit.WORDS:
                assert piece.words is not None
                yield piece.words[place]
            else:
                yield place


def _owners(text: str, segmenter: Segmenter) -> list[int]:
    """Return for each character of a text the number of its word."""
    owners = [0] * len(text)
    for number, word in enumerate(segmenter(text)):
        owners[word.start : word.end] = [number] * (word.end - word.start)
    return owners


@dataclass(frozen=True)
class MaskedBatch:
    """N passages laid end to end, T tokens, of which M at `places` are to be found out."""

    rows: tuple[int, ...]
    ids: Tensor  # (T)
    segments: Tensor  # (T)
    layout: Layout
    places: Tensor  # (M)
    targets: Tensor  # (M)

    @classmethod
    def of(
        cls, passages: Sequence[Passage], generators: Iterator[np.random.Generator]
    ) -> MaskedBatch:
        """Lay passages end to end, each hidden in part as its generator draws."""
        layout = Layout([passage.tokens for passage in passages])
        shown, places, targets = [], [], []
        for passage, start, random in zip(passages, layout.starts, generators, strict=False):
            ids, chosen = passage.masking.hide(passage, random)
            shown.append(ids)
            places.append(chosen + start)
            targets.append(np.frombuffer(passage.piece.ids, dtype=np.int32)[chosen])
        segments = np.concatenate([np.frombuffer(p.piece.segments, np.uint8) for p in passages])
        return cls(
            rows=tuple(passage.row for passage in passages),
            ids=torch.from_numpy(np.concatenate(shown)),
            segments=torch.from_numpy(segments.astype(np.int64)),
            layout=layout,
            places=torch.from_numpy(np.concatenate(places)),
            targets=torch.from_numpy(np.concatenate(targets).astype(np.int64)),
        )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def tokens(self) -> int:
        """T, the tokens of all passages."""
        return self.layout.tokens

    def to(self, device: torch.device) -> MaskedBatch:
        """Return the batch on another device."""
        return moved(self, device)
