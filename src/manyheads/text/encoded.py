"""Texts as tokens: what the library returns for a text, whole or cut into pieces."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tokenizers import Encoding

from manyheads.text.truncate import Cut, Truncation, tokens_kept

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Piece:
    """One sequence for a model: a whole text, or what a truncation keeps of it.

    Ids and segments are compact arrays: a list of integers holds six times as much memory, which
    a training set of a hundred thousand texts would feel.

    Attributes:
        ids: The token ids, special tokens included, (T,).
        segments: For each token the segment (type id) that the frame of special tokens gives it,
            (T,): for BERT 0 for the first text of a pair and 1 for the second.
        offsets: For each token the characters ``text[start:end]`` that it was read from, (T,), in
            the text that was given, or in the second text of a pair; ``(0, 0)`` for special
            tokens of the frame. None unless asked for.
        sources: For each token the text that it is of, (T,): 0, or 1 for the second one of a pair;
            -1 for special tokens of the frame. None unless offsets are asked for.
        words: For each token the number of its word in the text, as the tokenizer splits text
            before it looks for pieces, (T,); -1 for special tokens of the frame. None unless asked
            for.
    """

    ids: array[int]
    segments: array[int]
    offsets: list[tuple[int, int]] | None
    words: array[int] | None = None
    sources: array[int] | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text, or a pair of texts, as tokens.

    Attributes:
        pieces: The sequences that it became: one, or as many as it has windows.
        tokens: How many tokens it has before any cut, special tokens included.
        dropped: How many of its tokens no piece holds; 0 means that nothing was truncated.
    """

    pieces: tuple[Piece, ...]
    tokens: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What pieces shall say of each token besides its id."""

    offsets: bool
    words: bool

    def of(self, encoding: Encoding) -> Callable[[list[tuple[int, int]]], Piece]:
        """Return what makes the piece that keeps some spans of an encoding."""
        # Each of these is copied out of the library as a whole, so once and not for every piece.
        ids, segments = encoding.ids, encoding.type_ids
        places = encoding.offsets if self.offsets else None
        numbers = encoding.word_ids if self.words else None
        owners = encoding.sequence_ids if self.offsets else None

        def piece(spans: list[tuple[int, int]]) -> Piece:
            return Piece(
                array("i", _select(ids, spans)),
                array("B", _select(segments, spans)),
                None if places is None else _select(places, spans),
                None if numbers is None else _numbers(numbers, spans),
                None if owners is None else _numbers(owners, spans),
            )

        return piece


def whole(encoding: Encoding, wanted: Wanted) -> Encoded:
    """Return a text of which nothing is cut."""
    length = len(encoding)
    return Encoded((wanted.of(encoding)([(0, length)]),), length, 0)


def truncated(encoding: Encoding, paired: bool, truncation: Truncation, wanted: Wanted) -> Encoded:
    """Cut the texts inside their frame of special tokens, wherever the frame puts them."""
    owners = encoding.sequence_ids  # None for a token of the frame
    lengths = [owners.count(sequence) for sequence in range(1 + paired)]
    starts = [owners.index(i) if length else 0 for i, length in enumerate(lengths)]
    cuts = truncation.cuts(lengths, truncation.max_tokens - (len(owners) - sum(lengths)))
    piece = wanted.of(encoding)
    pieces = [piece(_spans_with_frame(cut, starts, lengths, len(owners))) for cut in cuts]
    return Encoded(tuple(pieces), len(owners), sum(lengths) - tokens_kept(cuts))


def _spans_with_frame(
    cut: Cut, starts: Sequence[int], lengths: Sequence[int], total: int
) -> list[tuple[int, int]]:
    """Return the spans of the framed sequence that one piece keeps: the cut and all the frame."""
    spans, position = [], 0
    for start, length, kept in sorted(zip(starts, lengths, cut, strict=True)):
        spans.append((position, start))
        spans += [(start + first, start + end) for first, end in kept]
        position = start + length
    return [*spans, (position, total)]


def _numbers(items: list[int | None], spans: list[tuple[int, int]]) -> array[int]:
    """Return the numbers that some spans keep, -1 where there is none."""
    return array("i", [-1 if item is None else item for item in _select(items, spans)])


def _select(items: list[_Item], spans: list[tuple[int, int]]) -> list[_Item]:
    if len(spans) == 1:
        ((start, end),) = spans
        return items[start:end]
    return [item for start, end in spans for item in items[start:end]]
