"""Words of a text, where each stands in it, and the tag that each has."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from manyheads.text.scripts import UNSPACED
from manyheads.text.tag_scheme import OUTSIDE, Chunk, chunks_of, mark_entities

Span = tuple[int, int]  # the characters text[start:end]

_UNSPACED = re.compile(f"[{UNSPACED}]")
_PARTING = "，。、；：！？（）［］｛｝【】〔〕《》〈〉「」『』“”„…—"
_CHUNK = re.compile(f"[{UNSPACED}{_PARTING}]|[^\\s{UNSPACED}{_PARTING}]+")
# Controls, spaces of no width, marks of direction: at the ends of a word they are none of it.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_JOINER = "\u200d"  # one emoji of two
_TONE = re.compile("[\U0001f3fb-\U0001f3ff]")  # of the skin of the emoji before
_HALF_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]")  # two of them are a flag
_SHOWN = 12  # words


@dataclass(frozen=True, slots=True)
class Tagged:
    """A text with a tag for each of its words; `words` says which characters each one has."""

    text: str
    words: tuple[Span, ...]
    tags: tuple[str, ...]

    def __post_init__(self) -> None:
        assert len(self.words) == len(self.tags)

    def __str__(self) -> str:
        said = [f"{word}/{tag}" for word, tag in zip(self.spelled(), self.tags, strict=True)]
        more = [f"… ({len(said)} words)"] if len(said) > _SHOWN else []
        return " ".join([*said[:_SHOWN], *more]) or "(no words)"

    @property
    def kinds(self) -> list[str]:
        """What there is in the text: the types of its entities, or the tags of its words."""
        if mark_entities(self.tags):
            return [kind for _, _, kind in chunks_of(self.tags)]
        return [tag for tag in self.tags if tag != OUTSIDE]

    @property
    def marked(self) -> tuple[Chunk, ...] | tuple[str, ...]:
        """What the tags say, the same in IOB, BIO and BILOU: entities, or a tag for each word."""
        return tuple(chunks_of(self.tags)) if mark_entities(self.tags) else self.tags

    def spelled(self) -> list[str]:
        """Return the words themselves."""
        return [self.text[start:end] for start, end in self.words]


def split_words(text: str) -> list[Span]:
    """Return where the words of a text stand.

    White space ends a word, punctuation around one stands alone, and so does each character of a
    script that puts no spaces between words. Punctuation within a word stays: U.S.-based, 3.5; but
    that of Chinese parts words, for there no space does. What is seen as one character is never
    parted: an accent stays with its letter, and an emoji is whole.
    """
    spans = (span for chunk in _CHUNK.finditer(text) for span in _parts(text, *chunk.span()))
    if text.isascii():
        return list(spans)
    whole: list[Span] = []
    for start, end in spans:
        if whole and whole[-1][1] == start and _is_one_with(text, whole[-1], start):
            whole[-1] = whole[-1][0], end
        else:
            whole.append((start, end))
    return whole


def join_words(words: Sequence[str]) -> tuple[str, tuple[Span, ...]]:
    """Return a text of these words and where they stand in it.

    A space stands between two words, but not where a script without spaces meets itself.
    """
    parts: list[str] = []
    spans, at = [], 0
    for number, word in enumerate(words):
        if number and not _touch(words[number - 1], word):
            parts.append(" ")
            at += 1
        parts.append(word)
        spans.append((at, at + len(word)))
        at += len(word)
    return "".join(parts), tuple(spans)


def cut_at(words: Iterable[Span], places: Iterable[int]) -> list[Span]:
    """Return the words with those cut in two that reach over one of the places."""
    ordered, cut = sorted(set(places)), []
    for start, end in words:
        for place in ordered:
            if start < place < end:
                cut.append((start, place))
                start = place
        cut.append((start, end))
    return cut


def _parts(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield a chunk between white space, the punctuation around it character by character."""
    first, last = start, end
    while first < last and _stands_alone(text[first]):
        first += 1
    while last > first and _stands_alone(text[last - 1]):
        last -= 1
    if first < last < end and text[last] == "." and "." in text[first:last]:
        last += 1  # the last point of U.S. or e.g. is its own
    yield from _seen(text, start, first)
    if first < last:
        yield first, last
    yield from _seen(text, last, end)


def _stands_alone(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS" or _UNSEEN.match(character) is not None


def _seen(text: str, start: int, end: int) -> Iterator[Span]:
    return ((at, at + 1) for at in range(start, end) if not _UNSEEN.match(text[at]))


def _is_one_with(text: str, before: Span, place: int) -> bool:
    """Whether the character at a place is seen as one with the word that ends there."""
    character, last = text[place], text[place - 1]
    if _HALF_FLAG.match(character):
        return before[1] - before[0] == 1 and _HALF_FLAG.match(last) is not None
    is_mark = unicodedata.category(character)[0] == "M" or _TONE.match(character) is not None
    return is_mark or _JOINER in (character, last)


def _touch(before: str, word: str) -> bool:
    """Whether no space stands between two words."""
    if not before or not word:
        return False
    return all(_UNSPACED.match(one) or _is_wide(one) for one in (before[-1], word[0]))


def _is_wide(character: str) -> bool:
    """Whether a character is punctuation or a digit of full width, as Chinese has it."""
    return unicodedata.east_asian_width(character) in "WF"
