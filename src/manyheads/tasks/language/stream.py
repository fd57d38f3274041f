"""Text as one long stream of tokens, and the blocks that it is cut into."""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from manyheads.core.layout import Layout
from manyheads.tasks.batch import moved
from manyheads.text import Cleaning, Encoded, Tokenizer


@dataclass(frozen=True, eq=False)
class Stream:
    """All rows of a split one after the other: N tokens behind one that ends a row.

    `starts` are the places where rows begin; `characters` and `bytes` (UTF-8) count the text.
    """

    ids: array[int]  # N + 1
    starts: list[int]
    characters: int
    bytes: int

    @property
    def tokens(self) -> int:
        """N: the tokens that can be foretold, which all are."""
        return len(self.ids) - 1

    def row_of(self, place: int) -> int:
        """Return the row that the token to foretell at a place belongs to."""
        return bisect_right(self.starts, place) - 1

    def blocks(self, length: int) -> list[Block]:
        """Return blocks of `length` tokens, the last one perhaps shorter."""
        places = range(0, self.tokens, length)
        return [Block(self, place, min(length, self.tokens - place)) for place in places]

    def windows(self, length: int, stride: int) -> Iterator[Block]:
        """Yield blocks that together foretell every token once.

        Each has a length of at most `length` tokens, of which it foretells `stride`: those before
        them are what it has read already. The first one foretells all of its tokens.
        """
        done = 0
        while done < self.tokens:
            end = min(self.tokens, done + (stride if done else length))
            start = max(0, end - length)
            yield Block(self, start, end - start, done - start)
            done = end


@dataclass(frozen=True, slots=True)
class Block:
    """`tokens` tokens of a stream from a place on; the first `context` are not to be foretold."""

    stream: Stream
    start: int
    tokens: int
    context: int = 0

    @property
    def row(self) -> int:
        """The row in which the block begins."""
        return self.stream.row_of(self.start)

    @property
    def texts(self) -> tuple[Encoded, ...]:
        """Nothing: of a stream, nothing is cut off."""
        return ()

    @property
    def learnt(self) -> int:
        """How many tokens are to be foretold."""
        return self.tokens - self.context

    def digest(self, seed: int) -> int:
        """Return a checksum of the tokens, going on from `seed`."""
        return zlib.crc32(self.stream.ids[self.start : self.start + self.tokens + 1], seed)

    def ids(self, shift: int = 0) -> array[int]:
        """Return what is read and what is to be foretold, one array with one id more than tokens.

        With `shift`, the block lies that much further on; the stream begins again at its end.
        """
        ids, first = self.stream.ids, (self.start + shift) % self.stream.tokens
        found = ids[first : first + self.tokens + 1]
        missing = self.tokens + 1 - len(found)
        return found + ids[1 : 1 + missing] if missing else found


@dataclass(frozen=True)
class StreamReader:
    """Reads rows as a stream: each is cleaned and tokenized, with `end` behind it.

    Where the end is a `separator`, it stands between rows as text.
    """

    tokenizer: Tokenizer
    cleaning: Cleaning
    length: int
    end: int
    separator: str | None = None

    def read(self, texts: Sequence[str]) -> Stream:
        """Return the stream of all rows; raises `TextError`."""
        rows = [self.cleaning(text) if isinstance(text, str) else text for text in texts]
        if self.separator is not None:
            apart = self.separator
            rows = [row + apart if isinstance(row, str) else row for row in rows[:-1]] + rows[-1:]
        before, after = self.tokenizer.frame
        ids, starts = array("i", [self.end]), []
        for encoded in self.tokenizer.encode(rows):
            starts.append(len(ids) - 1)
            framed = encoded.pieces[0].ids
            ids += framed[len(before) : len(framed) - len(after)]
            if self.separator is None:
                ids.append(self.end)
        ends = 0 if self.separator is not None else len(rows)  # an end is a line end, one character
        return Stream(
            ids,
            starts,
            characters=sum(map(len, rows)) + ends,
            bytes=sum(len(row.encode()) for row in rows) + ends,
        )


@dataclass(frozen=True)
class BlockBatch:
    """N blocks laid end to end: T tokens, and behind each the one to foretell.

    `learnt` are the places of those that are to be foretold, where these are not all.
    """

    rows: tuple[int, ...]
    ids: Tensor  # (T)
    targets: Tensor  # (T), or as many as are learnt
    layout: Layout
    learnt: Tensor | None = None

    @classmethod
    def of(cls, blocks: Sequence[Block], shift: int = 0) -> BlockBatch:
        """Lay blocks end to end."""
        layout = Layout([block.tokens for block in blocks])
        cuts = [torch.frombuffer(block.ids(shift), dtype=torch.int32) for block in blocks]
        ids = torch.cat([cut[:-1] for cut in cuts]).long()
        targets = torch.cat([cut[1:] for cut in cuts]).long()
        rows = tuple(block.row for block in blocks)
        if not any(block.context for block in blocks):
            return cls(rows, ids, targets, layout)
        contexts = torch.tensor([block.context for block in blocks])
        learnt = (layout.positions >= contexts[layout.owners]).nonzero()[:, 0]
        return cls(rows, ids, targets[learnt], layout, learnt)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def tokens(self) -> int:
        """T, the tokens of all blocks."""
        return self.layout.tokens

    def to(self, device: torch.device) -> BlockBatch:
        """Return the batch on another device."""
        return moved(self, device)
