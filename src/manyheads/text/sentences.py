"""Sentences of a text, and texts put together again from sentences: nothing is lost between.

    "Dr. No came. He left."  →  "Dr. No came. " | "He left."
    "他来了。他走了。"         →  "他来了。" | "他走了。"

The pieces joined are the text, white space included. English, Chinese and what is punctuated like
them; a line break ends a sentence too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

_CLOSERS = "\"'”’»)\\]）】」』》〉"
_END = re.compile(rf"(?:[.!?]+|…+|[。！？；]+…*)[{_CLOSERS}]*|\n")
_FULL = frozenset("。！？；")  # these end a sentence whatever follows
_GOES_ON = frozenset("，、：；。！？,;:—…～~)）】」』》")
_PAIRS = {"(": ")", "[": "]", "（": "）", "【": "】", "「": "」", "『": "』", "«": "»"}
_OPENING = re.compile("[" + re.escape("".join(_PAIRS)) + "]")
_ASIDE = 200  # characters: what stands longer in brackets is more than an aside
_LONGEST_WORD = 40  # characters: what is longer is no abbreviation
_LAST_WORD = re.compile(r"[\w.'’-]+$")
_INITIALS = re.compile(r"(?:[A-Z]\.)*[A-Z]")
_FOREIGN = "[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]"
_UNSPACED = re.compile(_FOREIGN)
_NEXT = re.compile(r"\s*(\S?)")

# Behind these a sentence goes on: titles, and what stands before a name, a number or an example.
_ABBREVIATED = re.compile(
    r"""mrs?|ms|dr|prof|rev|hon|st|sr|jr|gen|col|maj|capt|cmdr|lt|sgt|sen|rep|gov|pres|messrs|mme
    |mlle|fr|mt|ft|e\.g|i\.e|cf|vs|viz|approx|ca|al|figs?|eqs?|secs?|chap|ch|vols?|nos?|nr|pp?|eds?
    |art|op|resp|incl|excl|dept|est|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|mon|tue|wed|thu
    |fri|z\.b|d\.h|bzw""",
    re.VERBOSE,
)
# These are words too; they are meant as abbreviations before a number.
_WORDS = frozenset({"no", "p", "art", "ed", "mar", "mon"})
# Behind these a sentence may end: it does before a capital letter.
_EITHER = re.compile(r"etc|inc|ltd|co|corp|bros|a\.m|p\.m|d\.c|ph\.d|m\.d|b\.a|m\.a")
# Behind these stand names, "the U.S. Senate": a sentence ends before a word that begins one.
_STATES = re.compile(r"u\.s|u\.k|u\.n|e\.u|u\.s\.a|u\.s\.s\.r")
_BEGINNING = re.compile(
    r"""\s*["'“‘(]*(?:the|an?|this|that|these|those|it|he|she|we|they|you|i|his|her|its|our|their|my
    |there|here|in|on|at|by|for|from|with|as|to|of|after|before|during|since|while|when|where|if
    |although|though|because|but|and|or|so|yet|then|now|no|not|what|who|why|how|all|some|many|most
    |one|both|also|however|today|yesterday)\b""",
    re.VERBOSE | re.IGNORECASE,
)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, each with the white space behind it; none of an empty one."""
    borders = list(_borders(text))
    starts = [0, *borders]
    pieces = [text[start:end] for start, end in zip(starts, [*borders, len(text)], strict=True)]
    return [piece for piece in pieces if piece]


def joined(pieces: Sequence[str], written: Sequence[str]) -> str:
    """Return what was written for each piece as one text, with the white space of the pieces.

    Chinese needs no space between sentences and English does: where one was written from the other,
    the space is added or left out. What is written for a piece of white space is not looked at.
    """
    result = ""
    for piece, text in zip(pieces, written, strict=True):
        core = piece.strip()
        if not core:
            result += piece
            continue
        lead = piece[: len(piece) - len(piece.lstrip())]
        if result and not lead and not result[-1].isspace() and not _ends_unspaced(result):
            lead = " "
        result += lead + text.strip()
        gap = piece[len(piece.rstrip()) :]
        result += "" if gap == " " and _ends_unspaced(result) else gap
    return result if not pieces or pieces[-1] != pieces[-1].rstrip() else result.rstrip()


def packed(pieces: Sequence[str], fits: Callable[[str], bool]) -> list[str]:
    """Return as few texts as hold all pieces in order, each of which fits.

    A piece that does not fit alone is halved, at white space where there is any.

    Raises:
        ValueError: Not even one character fits.
    """
    texts: list[str] = []
    for piece in _fitting(pieces, fits):
        if texts and fits(texts[-1] + piece):
            texts[-1] += piece
        else:
            texts.append(piece)
    return texts


def is_spaced(text: str) -> bool:
    """Whether a text begins with a word of a language that puts spaces between its words."""
    return text[:1].isalnum() and not _UNSPACED.match(text)


def _ends_unspaced(text: str) -> bool:
    return bool(text) and _UNSPACED.match(text[-1]) is not None


def _fitting(pieces: Sequence[str], fits: Callable[[str], bool]) -> Iterator[str]:
    for piece in pieces:
        if fits(piece):
            yield piece
        elif len(piece) < 2:
            raise ValueError(f"not even {piece!r} alone fits")
        else:
            yield from _fitting(_halves(piece), fits)


def _halves(piece: str) -> tuple[str, str]:
    """Cut a piece behind the white space that is nearest to its middle, else in its middle."""
    middle = len(piece) // 2
    behind = [match.end() for match in re.finditer(r"\s+", piece) if match.end() < len(piece)]
    at = min(behind, key=lambda end: abs(end - middle), default=middle)
    return piece[:at], piece[at:]


def _borders(text: str) -> Iterator[int]:
    """Yield where a sentence begins behind another one."""
    asides = iter(_asides(text))
    beyond = (len(text), len(text))
    start, stop = next(asides, beyond)
    begun = 0  # where the sentence in hand begins
    for match in _END.finditer(text):
        end = match.end()
        while stop < match.start():
            start, stop = next(asides, beyond)
        # Where a sentence as a whole stands in brackets, it ends with them.
        if start < match.start() < stop and not (start == begun and stop < end):
            continue
        if not _ends_sentence(text, match):
            continue
        while end < len(text) and text[end].isspace():
            end += 1
        if end < len(text):
            yield end
            begun = end


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    mark, end = match.group(), match.end()
    if mark == "\n":
        return True
    if end == len(text):
        return False
    after = _NEXT.match(text, end)
    assert after is not None  # it matches everything
    following = after.group(1)
    if mark[0] in _FULL:
        return following not in _GOES_ON
    if not text[end].isspace() and not _UNSPACED.match(text[end]):
        return False
    if following.islower() or following in _GOES_ON:
        return False
    return mark != "." or not _is_abbreviated(text, match.start(), following)


def _is_abbreviated(text: str, stop: int, following: str) -> bool:
    """Whether the word before a full stop is one that is written with it inside sentences."""
    match = _LAST_WORD.search(text, max(0, stop - _LONGEST_WORD), stop)
    if match is None:
        return False
    word = match.group()
    plain = word.lower()
    if _ABBREVIATED.fullmatch(plain):
        return plain not in _WORDS or following.isdigit()
    if _EITHER.fullmatch(plain):
        return not following.isupper()
    if _STATES.fullmatch(plain):
        return not _BEGINNING.match(text, stop + 1)
    return _INITIALS.fullmatch(word) is not None and word != "I"


def _asides(text: str) -> list[tuple[int, int]]:
    """Return where something short stands in brackets, inside which no sentence ends, in order."""
    found: list[tuple[int, int]] = []
    for match in _OPENING.finditer(text):
        start = match.start()
        if found and start < found[-1][1]:  # brackets within brackets
            continue
        stop = text.find(_PAIRS[match.group()], start, start + _ASIDE)
        if stop >= 0 and text.find("\n", start, stop) < 0:
            found.append((start, stop))
    return found
