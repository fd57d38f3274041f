"""How many tokens it takes to write what is required, and nothing that is banned.

To find the shortest text that holds all of some phrases is as hard as the travelling salesman's
tour. The order of a few is searched through; for more, two bounds say what surely does not fit, and
what surely does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from manyheads.generate.phrases import Phrase, beginnings, holds, missing

ELSE = -1  # any token that is in no phrase
_FEW = 5  # phrases whose orders are all looked at


class Need(NamedTuple):
    """How many more tokens what is required takes: `least` or more, and `enough` suffice.

    The two are the same for a few phrases.
    """

    least: int
    enough: int


def need(tokens: Sequence[int], required: Sequence[Phrase], banned: tuple[Phrase, ...]) -> Need:
    """Return how many tokens must follow some others until all that is required is there.

    Phrases may overlap, and those that may not meet are parted by another token. No required phrase
    may hold a banned one.
    """
    left = frozenset(missing(tokens, required))
    return _orders(tuple(required), banned).need(tokens, left) if left else Need(0, 0)


def fits(
    tokens: Sequence[int], required: Sequence[Phrase], banned: tuple[Phrase, ...], room: int
) -> bool:
    """Whether `room` more tokens may hold what is required and nothing banned.

    It is never denied of what can be done. For many phrases it may be said of what cannot.
    """
    return need(tokens, required, banned).least <= room


class _Orders:
    """The orders in which required phrases may be written, and what is known of them so far.

    Of what was written, only the tail matters with which a phrase, required or banned, may begin.
    """

    def __init__(self, required: tuple[Phrase, ...], banned: tuple[Phrase, ...]) -> None:
        phrases = (*required, *banned)
        self._begun = {phrase[:size] for phrase in phrases for size in range(1, len(phrase))}
        self._longest = max(map(len, phrases)) - 1
        self._heads: dict[int, list[Phrase]] = {}  # of banned phrases, by their last token
        for phrase in banned:
            self._heads.setdefault(phrase[-1], []).append(phrase[:-1])
        self._exact: dict[tuple[Phrase, frozenset[Phrase]], int] = {}
        self._cheapest: dict[tuple[Phrase, Phrase], int] = {}

    def need(self, tokens: Sequence[int], left: frozenset[Phrase]) -> Need:
        """Return what phrases that are left to be written behind some tokens take."""
        tail = self._tail(tuple(tokens[-self._longest :] if self._longest else ()))
        left = frozenset(
            one for one in left if not any(one != other and holds(other, one) for other in left)
        )
        if len(left) > _FEW:
            return Need(self._least(tail, left), self._enough(tail, left))
        exact = self._shortest(tail, left)
        return Need(exact, exact)

    def _shortest(self, tail: Phrase, left: frozenset[Phrase]) -> int:
        """Return how many tokens the best of all orders takes."""
        if not left:
            return 0
        if (tail, left) not in self._exact:
            self._exact[tail, left] = min(
                added + self._shortest(self._tail(text), frozenset(missing(text, tuple(left))))
                for phrase in left
                for added, text in self._ways(tail, phrase)
            )
        return self._exact[tail, left]

    def _least(self, tail: Phrase, left: frozenset[Phrase]) -> int:
        """Return what no order goes below: each phrase stands first, or behind its best other."""
        first = {one: self._cost(tail, one) for one in left}
        behind = {one: min(self._cost(other, one) for other in left - {one}) for one in left}
        return sum(behind.values()) + min(first[one] - behind[one] for one in left)

    def _enough(self, tail: Phrase, left: frozenset[Phrase]) -> int:
        """Return what the order takes in which the cheapest phrase always comes next."""
        total = 0
        while left:
            added, text = min(way for phrase in left for way in self._ways(tail, phrase))
            total += added
            tail, left = self._tail(text), frozenset(missing(text, tuple(left)))
        return total

    def _cost(self, before: Phrase, phrase: Phrase) -> int:
        if (before, phrase) not in self._cheapest:
            self._cheapest[before, phrase] = min(added for added, _ in self._ways(before, phrase))
        return self._cheapest[before, phrase]

    def _ways(self, before: Phrase, phrase: Phrase) -> Iterator[tuple[int, Phrase]]:
        """Yield how many tokens a phrase adds, and the text that ends with it, for each way.

        It goes on with what is begun, or stands behind another token; the latter is never banned.
        """
        for size in beginnings(before, phrase):
            text = (*before, *phrase[size:])
            if not self._is_banned(text, len(before)):
                yield len(phrase) - size, text
        yield len(phrase) + 1, (ELSE, *phrase)

    def _is_banned(self, text: Phrase, first: int) -> bool:
        """Whether a banned phrase ends in a text, from position `first` on."""
        return any(
            at >= len(head) and text[at - len(head) : at] == head
            for at in range(first, len(text))
            for head in self._heads.get(text[at], ())
        )

    def _tail(self, text: Phrase) -> Phrase:
        """Return the longest end of a text that a phrase begins with."""
        starts = range(max(0, len(text) - self._longest), len(text))
        return next((text[start:] for start in starts if text[start:] in self._begun), ())


@lru_cache(maxsize=256)
def _orders(required: tuple[Phrase, ...], banned: tuple[Phrase, ...]) -> _Orders:
    return _Orders(required, banned)
