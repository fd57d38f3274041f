"""Documents cut into passages at the ends of sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from manyheads.errors import ConfigError
from manyheads.text.sentences import packed, sentences

_GROUP = 1024  # texts that are counted at a time
_CHARACTERS = 16  # that a token stands for at most; a word that nobody knows is one token

Count = Callable[[Sequence[str]], list[int]]  # of texts, how many tokens each has


@dataclass(frozen=True)
class Passages:
    """How documents are cut: passages of at most `tokens`, neighbours of which share sentences.

    They share as many whole sentences as have at most `overlap` tokens. A sentence that is longer
    than a passage is cut between words, and what has no words, such as an image in letters, where
    it has 16 characters for each token.
    """

    tokens: int = 128
    overlap: int = 32

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise ConfigError(f"passages of tokens={self.tokens} hold nothing; choose at least 1")
        if not 0 <= self.overlap < self.tokens:
            raise ConfigError(
                f"overlap={self.overlap} of passages with {self.tokens} tokens; choose 0 to "
                f"{self.tokens - 1}"
            )

    def cut(self, text: str, count: Count) -> list[tuple[int, int]]:
        """Return where each passage begins and ends in a text, without white space around it."""
        units = self._units(text, _bounded(count))
        starts = list(accumulate((len(unit) for unit, _ in units), initial=0))
        runs = self._runs([size for _, size in units])
        spans = (_stripped(text, starts[first], starts[last]) for first, last in runs)
        return [(start, end) for start, end in spans if start < end]

    def cut_all(self, texts: Sequence[str], count: Count) -> list[list[tuple[int, int]]]:
        """Return what `cut` does for each text; those of one passage are not read by sentences."""
        cuts = []
        for start in range(0, len(texts), _GROUP):
            group = texts[start : start + _GROUP]
            for text, size in zip(group, _bounded(count)(group), strict=True):
                is_one = 0 < size <= self.tokens
                cuts.append([_stripped(text, 0, len(text))] if is_one else self.cut(text, count))
        return cuts

    def _units(self, text: str, count: Count) -> list[tuple[str, int]]:
        """Return what is never cut, with its size: sentences, and parts of those too long."""

        def fits(part: str) -> bool:
            # One character can be many tokens, and is never cut.
            return len(part) == 1 or count([part])[0] <= self.tokens

        units: list[tuple[str, int]] = []
        whole = sentences(text)
        for sentence, size in zip(whole, count(whole), strict=True):
            parts = [sentence] if size <= self.tokens else packed([sentence], fits)
            sizes = [size] if len(parts) == 1 else count(parts)
            units += zip(parts, sizes, strict=True)
        return units

    def _runs(self, sizes: Sequence[int]) -> list[tuple[int, int]]:
        """Return the first unit of each passage, and the one behind its last."""
        runs, first = [], 0
        while first < len(sizes):
            last, total = first + 1, sizes[first]
            while last < len(sizes) and total + sizes[last] <= self.tokens:
                total += sizes[last]
                last += 1
            if total:  # what has no token has no vector
                runs.append((first, last))
            first = last if last == len(sizes) else self._next(sizes, first, last)
        return runs

    def _next(self, sizes: Sequence[int], first: int, last: int) -> int:
        """Return where the passage behind [first, last) begins, which has room for unit `last`."""
        room = min(self.overlap, self.tokens - sizes[last])
        begin = last
        while begin - 1 > first and sizes[begin - 1] <= room:
            begin -= 1
            room -= sizes[begin]
        return begin


def _bounded(count: Count) -> Count:
    """Return a count by which many characters without spaces have more tokens than they have."""

    def counted(texts: Sequence[str]) -> list[int]:
        sizes = zip(count(texts), (len(text) - text.count(" ") for text in texts), strict=True)
        return [max(size, -(-long // _CHARACTERS)) if size else 0 for size, long in sizes]

    return counted


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())
