"""Text as it is being written: what is certain is shown, and never taken back."""

from __future__ import annotations

from collections.abc import Sequence

from manyheads.generate.request import Spell
from manyheads.generate.search import Search

_BROKEN = "\N{REPLACEMENT CHARACTER}"  # where the bytes of a character are not all there yet


def certain(search: Search, told: int) -> tuple[int, ...]:
    """Return the tokens behind the first `told` that all live paths and outputs share.

    Whatever a search still finds goes on from a live path, so that its output begins with them.
    """
    texts = [path.tokens for path in search.live] + [one.tokens for one in search.outputs]
    shared = min(map(len, texts))
    for at in range(told, shared):
        if any(text[at] != texts[0][at] for text in texts):
            return texts[0][told:at]
    return texts[0][told:shared]


class TextStream:
    """Turns tokens that arrive one by one into text that only grows.

    Held back are characters whose bytes are not all there, and what may become a string that stops;
    from such a string on, nothing is shown. The pieces together are the text of all tokens, up to
    that string.
    """

    def __init__(self, spell: Spell, stops: Sequence[str] = ()) -> None:
        self._spell = spell
        self._stops = tuple(stops)
        self._tokens: list[int] = []
        self._shown = 0
        self._stopped = False

    def add(self, tokens: Sequence[int]) -> str:
        """Return the text that these tokens make certain."""
        self._tokens += tokens
        return self._grown(self._spell(self._tokens), last=False)

    def end(self) -> str:
        """Return what was held back, when no token will come any more."""
        return self._grown(self._spell(self._tokens), last=True)

    def _grown(self, text: str, last: bool) -> str:
        if self._stopped:
            return ""
        cut = cut_at(text, self._stops)
        self._stopped = len(cut) < len(text)
        if not self._stopped and not last:
            cut = cut[: len(cut) - _held_back(cut, self._stops)]
        new = cut[self._shown :]
        self._shown = max(self._shown, len(cut))
        return new


def cut_at(text: str, stops: Sequence[str]) -> str:
    """Return the text up to the first string that stops."""
    found = [at for at in (text.find(stop) for stop in stops) if at >= 0]
    return text[: min(found)] if found else text


def _held_back(text: str, stops: Sequence[str]) -> int:
    """Return how many characters at the end may still change or begin a string that stops."""
    whole = text.rstrip(_BROKEN)
    broken = len(text) - len(whole)
    return max(_begun(text, stops), broken + _begun(whole, stops))


def _begun(text: str, stops: Sequence[str]) -> int:
    """Return how many characters at the end may begin a string that stops."""
    sizes = [size for stop in stops for size in range(1, len(stop)) if text.endswith(stop[:size])]
    return max(sizes, default=0)
