"""From tagged texts to batches: which token speaks for which word.

    text      Angela Merkel's   │ words   Angela  Merkel  's
    tokens    an ##gel ##a merkel ' s     places 0        3 4      (with `FIRST`)

A text that is longer than the model reads becomes windows that overlap. Every word is read in one
of them: the one that shows most of what stands around it.
"""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from manyheads.core.layout import Layout
from manyheads.tasks.batch import moved
from manyheads.tasks.reader import Reader
from manyheads.text import Encoded, Piece
from manyheads.text.tagged import Span


class Alignment(Enum):
    """Which tokens of a word learn its tag, and say what it is."""

    FIRST = "first"
    ALL = "all"  # each of them; what they say is averaged


@dataclass(frozen=True, slots=True)
class Stretch:
    """A text, or a window of one, with the words that are read in it.

    Token `places[i]` speaks for word `words[i]` of the row, whose tag is `targets[i]`.
    """

    row: int
    piece: Piece
    places: array[int]
    words: array[int]
    targets: array[int]
    texts: tuple[Encoded, ...]

    @property
    def tokens(self) -> int:
        """How many tokens it has."""
        return len(self.piece.ids)

    def digest(self, seed: int) -> int:
        """Return a checksum of tokens, places and targets, going on from `seed`."""
        for numbers in (self.piece.ids, self.places, self.targets):
            seed = zlib.crc32(numbers, seed)
        return seed


@dataclass(frozen=True)
class WordReader:
    """Reads texts whose words are known."""

    reader: Reader
    alignment: Alignment

    def read(
        self,
        texts: Sequence[str],
        words: Sequence[Sequence[Span]],
        targets: Sequence[Sequence[int]] | None = None,
    ) -> list[Stretch]:
        """Return the stretches of all texts, those of a text in a row; raises `TextError`."""
        cleaned, origins = self.reader.traced(texts)
        encoded = self.reader.tokenizer.encode(
            cleaned, truncation=self.reader.truncation, offsets=True
        )
        return [
            stretch
            for row, one in enumerate(encoded)
            for stretch in self._stretches(
                row, one, _Origins(texts[row], origins[row]), words[row], targets and targets[row]
            )
        ]

    def _stretches(
        self,
        row: int,
        encoded: Encoded,
        origins: _Origins,
        words: Sequence[Span],
        targets: Sequence[int] | None,
    ) -> Iterator[Stretch]:
        found = [list(self._spoken_for(piece, origins, words)) for piece in encoded.pieces]
        best = _best_windows(found, [len(piece.ids) for piece in encoded.pieces])
        for number, (piece, pairs) in enumerate(zip(encoded.pieces, found, strict=True)):
            own = [(place, word) for place, word in pairs if best[word] == number]
            yield Stretch(
                row,
                Piece(piece.ids, piece.segments, None),  # offsets have served their purpose
                array("i", [place for place, _ in own]),
                array("i", [word for _, word in own]),
                array("i", [targets[word] for _, word in own] if targets else []),
                () if number else (encoded,),
            )

    def _spoken_for(
        self, piece: Piece, origins: _Origins, words: Sequence[Span]
    ) -> Iterator[tuple[int, int]]:
        """Yield each token's place with the number of the word that it speaks for."""
        assert piece.offsets is not None
        starts = [start for start, _ in words]
        last = -1
        for place, (start, end) in enumerate(piece.offsets):
            if start == end:  # a special token
                continue
            at = origins.of(start, end)
            word = bisect_right(starts, at) - 1
            if word < 0 or at >= words[word][1]:
                continue
            if word != last or self.alignment is Alignment.ALL:
                yield place, word
            last = word


@dataclass(frozen=True)
class _Origins:
    """Where in a text each character of its cleaned form comes from; None: where it stands."""

    text: str
    places: Sequence[int] | None

    def of(self, start: int, end: int) -> int:
        """Return where a token begins, behind the white space that some tokenizers count to it."""
        for place in range(start, end):
            at = place if self.places is None else self.places[place]
            if not self.text[at].isspace():
                return at
        return start if self.places is None else self.places[start]


def _best_windows(
    found: Sequence[Sequence[tuple[int, int]]], sizes: Sequence[int]
) -> dict[int, int]:
    """Return for each word the window in which it stands farthest from the nearer end."""
    best: dict[int, tuple[int, int]] = {}
    for number, (pairs, size) in enumerate(zip(found, sizes, strict=True)):
        firsts = {word: place for place, word in reversed(pairs)}  # of several tokens the first
        for word, place in firsts.items():
            context = min(place, size - place)
            if word not in best or best[word][0] < context:
                best[word] = context, number
    return {word: number for word, (_, number) in best.items()}


@dataclass(frozen=True)
class StretchBatch:
    """N stretches laid end to end, T tokens, of which W at `places` speak for words."""

    rows: tuple[int, ...]
    ids: Tensor  # (T)
    segments: Tensor  # (T)
    layout: Layout
    places: Tensor  # (W)
    counts: tuple[int, ...]  # how many of the places each stretch has
    targets: Tensor | None  # (W)

    @classmethod
    def of(cls, stretches: Sequence[Stretch]) -> StretchBatch:
        """Lay stretches end to end."""
        # As published heads for words have it, no token is global (Longformer).
        layout = Layout((one.tokens for one in stretches), global_tokens=[0] * len(stretches))
        shifted = zip(stretches, layout.starts, strict=False)
        targets = [target for one in stretches for target in one.targets]
        return cls(
            rows=tuple(one.row for one in stretches),
            ids=torch.tensor([i for one in stretches for i in one.piece.ids]),
            segments=torch.tensor([s for one in stretches for s in one.piece.segments]),
            layout=layout,
            places=torch.tensor(
                [start + place for one, start in shifted for place in one.places], dtype=torch.long
            ),
            counts=tuple(len(one.places) for one in stretches),
            targets=torch.tensor(targets) if targets else None,
        )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def tokens(self) -> int:
        """T, the tokens of all stretches."""
        return self.layout.tokens

    def to(self, device: torch.device) -> StretchBatch:
        """Return the batch on another device."""
        return moved(self, device)
