"""How a word falls into pieces when some are left out: by merges, by the best path, by length."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, count, pairwise
from math import inf
from random import Random

_LONGEST = 64  # symbols of a word that is worth the effort


class Merges:
    """Byte pairs: neighbours are merged, the most important first (Sennrich et al. 2016)."""

    def __init__(self, vocabulary: Mapping[str, int], merges: Iterable[str | list[str]]) -> None:
        self._ids = vocabulary
        pairs = (one if isinstance(one, list) else one.split(" ") for one in merges)
        self._ranks = {(left, right): rank for rank, (left, right) in enumerate(pairs)}

    def drawn(
        self, word: str, usual: tuple[int, ...], share: float, random: Random
    ) -> Iterable[int]:
        """Return the pieces of a word, each merge left out with the probability `share`."""
        kept = self._kept(len(word) - len(usual), share, random)
        if kept is None or len(word) > _LONGEST:
            return usual
        return [self._ids[one] for one in self._merged(list(word), kept, share, random)]

    @staticmethod
    def _kept(merges: int, share: float, random: Random) -> int | None:
        """Return how many of a word's usual merges happen before the first that does not.

        None where all of them happen: then it matters little that others were left out, and most
        words need no more work than this.
        """
        for merge in range(merges):
            if random.random() < share:
                return merge
        return None

    def _merged(self, symbols: list[str], kept: int, share: float, random: Random) -> list[str]:
        """Merge neighbours, the most important first, of those that are not left out this time.

        The best of the first `kept` rounds are not left out, that of the round after them is.
        """
        ranks, draw = self._ranks, random.random
        for step in count():
            pairs = enumerate(pairwise(symbols))
            ranked = sorted((ranks[pair], at) for at, pair in pairs if pair in ranks)
            if step == kept:
                del ranked[:1]
            at = next((at for _, at in ranked if step < kept or draw() >= share), None)
            if at is None:
                break
            symbols[at : at + 2] = [symbols[at] + symbols[at + 1]]
        return symbols


class _Vocabulary(ABC):
    """A vocabulary of which longer pieces are left out, each wherever it could stand.

    Single characters always stay, so that every word can be read. A word with characters that the
    vocabulary lacks keeps its usual pieces.
    """

    def __init__(self, ids: Mapping[str, int], inner: str = "") -> None:
        """Take the pieces with their ids; `inner` marks those that begin within a word."""
        self._ids = ids
        self._inner = inner
        self._names = {number: piece for piece, number in ids.items()}
        self._longest = max(map(len, ids))

    def drawn(
        self, word: str, usual: tuple[int, ...], share: float, random: Random
    ) -> Iterable[int]:
        """Return the pieces of a word, each possible one left out with the probability `share`.

        Where all of the usual pieces stay they remain the best, whatever else is left out: most
        words need no more work than this.
        """
        names = [self._names[number] for number in usual]
        parts = [name.removeprefix(self._inner) if at else name for at, name in enumerate(names)]
        if "".join(parts) != word or len(word) > _LONGEST:
            return usual
        ends = accumulate(map(len, parts), initial=0)
        stays = {span: _is_one(*span) or random.random() >= share for span in pairwise(ends)}
        if all(stays.values()):
            return usual
        for start, end in self._spans(word):
            if (start, end) not in stays:
                stays[start, end] = _is_one(start, end) or random.random() >= share
        path = self._path(word, {span for span, is_kept in stays.items() if is_kept})
        return usual if path is None else [self._ids[self._piece(word, *span)] for span in path]

    def _spans(self, word: str) -> Iterable[tuple[int, int]]:
        """Return where pieces of the vocabulary stand in a word."""
        for start in range(len(word)):
            for end in range(start + 1, min(len(word), start + self._longest) + 1):
                if self._piece(word, start, end) in self._ids:
                    yield start, end

    def _piece(self, word: str, start: int, end: int) -> str:
        return self._inner + word[start:end] if start else word[:end]

    @abstractmethod
    def _path(self, word: str, spans: set[tuple[int, int]]) -> Sequence[tuple[int, int]] | None:
        """Return those spans that a word is read in; None where none lead to its end."""


class BestPath(_Vocabulary):
    """Unigram: the pieces whose probabilities have the largest product (Kudo 2018)."""

    def __init__(self, scores: Mapping[str, float]) -> None:
        """Take the logarithms of the probabilities of all pieces, in the order of their ids."""
        super().__init__({piece: number for number, piece in enumerate(scores)})
        self._scores = scores

    def _path(self, word: str, spans: set[tuple[int, int]]) -> Sequence[tuple[int, int]] | None:
        best = [0.0] + [-inf] * len(word)
        starts = [0] * (len(word) + 1)
        for start, end in sorted(spans):
            score = best[start] + self._scores[word[start:end]]
            if score > best[end]:
                best[end], starts[end] = score, start
        if best[-1] == -inf:
            return None
        path, end = [], len(word)
        while end:
            path.append((starts[end], end))
            end = starts[end]
        return path[::-1]


class LongestMatch(_Vocabulary):
    """WordPiece: always the longest piece that fits (Wu et al. 2016; Hiraoka 2022)."""

    def _path(self, word: str, spans: set[tuple[int, int]]) -> Sequence[tuple[int, int]] | None:
        longest: dict[int, int] = {}
        for start, end in spans:
            longest[start] = max(end, longest.get(start, 0))
        path, start = [], 0
        while start < len(word):
            if start not in longest:
                return None
            path.append((start, longest[start]))
            start = longest[start]
        return path


def _is_one(start: int, end: int) -> bool:
    """Say whether a span is of one character."""
    return end - start == 1
