"""Phrases in a sequence of tokens: where they stand, and what begins and completes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Phrase = tuple[int, ...]


def holds(tokens: Sequence[int], phrase: Sequence[int]) -> bool:
    """Whether a phrase stands anywhere in a sequence."""
    size = len(phrase)
    return any(
        tuple(tokens[start : start + size]) == tuple(phrase)
        for start in range(len(tokens) - size + 1)
    )


def missing(tokens: Sequence[int], phrases: Sequence[Phrase]) -> Iterator[Phrase]:
    """Yield the phrases that the sequence does not hold."""
    return (phrase for phrase in phrases if not holds(tokens, phrase))


def completions(tokens: Sequence[int], phrases: Sequence[Phrase]) -> Iterator[int]:
    """Yield the last token of each phrase whose other tokens end the sequence."""
    for phrase in phrases:
        before = phrase[:-1]
        if not before or tuple(tokens[-len(before) :]) == before:
            yield phrase[-1]


def beginnings(tokens: Sequence[int], phrase: Phrase) -> Iterator[int]:
    """Yield, from the most to 0, how many tokens of a phrase's beginning end the sequence."""
    for size in range(min(len(tokens), len(phrase) - 1), -1, -1):
        if size == 0 or tuple(tokens[-size:]) == phrase[:size]:
            yield size


def progress(tokens: Sequence[int], phrase: Phrase) -> int:
    """Return how many tokens of the phrase's beginning the sequence ends with."""
    return next(beginnings(tokens, phrase))
