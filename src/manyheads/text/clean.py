"""Cleaning: what is taken out of a text before a tokenizer sees it.

Each step repairs one kind of damage that text collects on its way through web pages, spreadsheets
and databases. A cleaned text stays the same when it is cleaned again.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Self

from manyheads.errors import RecipeError, did_you_mean

# An unclosed script or comment reaches to the end of the text, as it does in a browser.
_HIDDEN = re.compile(
    r"<(script|style)\b[^<>]*>.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)|<!doctype[^<>]*>|<\?xml[^<>]*>",
    re.DOTALL | re.IGNORECASE,
)
# A name must be followed by a space, a slash or the end: "<3", "a < b" and "<me@mail.org>" stay.
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9:-]*)(?:\s[^<>]*|/)?>")
_INLINE = re.compile(
    "a|abbr|b|bdi|bdo|big|cite|code|del|dfn|em|font|i|ins|kbd|mark|q|s|samp|small|span|strike|"
    "strong|sub|sup|tt|u|var|wbr",
    re.IGNORECASE,
)
# The semicolon is required, so that "?page=1&copy=2" keeps its parameter.
_ENTITY = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")
_REPEATED_AMPERSAND = re.compile(r"&(?:amp;|AMP;|#0*38;|#[xX]0*26;)+")

_NEWLINE = re.compile("\r\n?|\u2028|\u2029")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Soft hyphen, zero-width space, marks of writing direction, word joiners, byte order mark. The
# zero-width (non-)joiners U+200C and U+200D stay: Persian, Indic scripts and emoji need them.
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Letters that become one with the letter before them (vowels and finals of Hangul, vowels of
# Kirat Rai), and second halves of surrogate pairs.
_JOINING = re.compile("[\u1160-\u11ff\U00016d67\U00016d68\udc00-\udfff]")


@dataclass(frozen=True)
class Cleaning:
    """The steps that clean a text; call it with a text to get the cleaned one.

    Attributes:
        html: Resolve character references (``&amp;#039;``, however often they were escaped) and
            drop tags, comments, scripts and style sheets. Tags that break lines or blocks become a
            space, so that words on both sides stay two words.
        unicode: Bring equal characters to one form, NFC of Unicode Standard Annex 15.
        controls: Turn control characters into spaces and every kind of line end into ``\\n``, keep
            tabs, and remove invisible characters such as the zero-width space, the soft hyphen and
            the byte order mark.
        surrogates: Join split surrogate pairs and replace the lone halves that broken decoders
            leave by U+FFFD. When this is off they stay, and a tokenizer refuses the text.
    """

    html: bool = False
    unicode: bool = True
    controls: bool = True
    surrogates: bool = False

    def __call__(self, text: str) -> str:
        """Return ``text`` after the steps that are switched on."""
        cleaned = self._one_pass(text)
        while self.html and cleaned != text:  # a reference may spell a tag or another reference
            text, cleaned = cleaned, self._one_pass(cleaned)
        return cleaned

    def _one_pass(self, text: str) -> str:
        if self.html:
            text = _without_markup(text)
        if self.surrogates and _SURROGATE.search(text):
            units = text.encode("utf-16-le", "surrogatepass")
            text = units.decode("utf-16-le", "replace")
        if self.controls:
            text = _INVISIBLE.sub("", _CONTROL.sub(" ", _NEWLINE.sub("\n", text)))
        if self.unicode:
            text = unicodedata.normalize("NFC", text)
        return text

    def traced(self, text: str) -> tuple[str, list[int] | None]:
        """Return the cleaned text, and for each of its characters the place in `text` it is from.

        None stands for places that did not move.
        Raises:
            RecipeError: HTML is to be cleaned, which leaves no trace of where a character was.
        """
        if self.html:
            raise RecipeError(
                "cleaning HTML moves characters, and what is found could not be shown in the text "
                "that was given; clean the texts before, or leave html out"
            )
        cleaned = self(text)
        if cleaned == text:
            return text, None
        # What belongs together is cleaned together: line ends, and letters with their marks.
        starts = [at for at in range(len(text)) if at == 0 or not _goes_with(text, at)]
        ends = [*starts[1:], len(text)]
        parts = [self(text[start:end]) for start, end in zip(starts, ends, strict=True)]
        assert "".join(parts) == cleaned
        return cleaned, [at for at, part in zip(starts, parts, strict=True) for _ in part]

    def to_json(self) -> dict[str, bool]:
        """Return the settings as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, settings: Mapping[str, bool]) -> Self:
        """Build the cleaning that :meth:`to_json` described.

        Raises:
            RecipeError: A setting that does not exist, or that is not true or false.
        """
        known = [field.name for field in fields(cls)]
        for name, value in settings.items():
            if name not in known:
                raise RecipeError(
                    f"cleaning has no setting {name!r}; it has {', '.join(known)}."
                    + did_you_mean(name, known)
                )
            if not isinstance(value, bool):
                raise RecipeError(f"cleaning.{name}={value!r} must be true or false")
        return cls(**settings)


def end_of(text: str, at: int) -> int:
    """Return where that ends which is cleaned together with the character at a place."""
    end = at + 1
    while end < len(text) and _goes_with(text, end):
        end += 1
    return end


def _goes_with(text: str, at: int) -> bool:
    """Whether a character is cleaned together with the one before it."""
    character = _joined(text[at : at + 2])
    return (
        (character == "\n" and text[at - 1] == "\r")
        or unicodedata.category(character)[0] == "M"
        or _JOINING.match(character) is not None
        or _INVISIBLE.match(character) is not None
    )


def _joined(halves: str) -> str:
    """Return the first character, a surrogate pair as the one that it stands for."""
    if not re.match("[\ud800-\udbff][\udc00-\udfff]", halves):
        return halves[0]
    return halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _without_markup(text: str) -> str:
    text = _TAG.sub(_blank, _HIDDEN.sub(" ", text))
    # Escaped n times, "&" is "&" and n times "amp;": one step, where n passes would be quadratic.
    text = _REPEATED_AMPERSAND.sub("&", text)
    return _ENTITY.sub(lambda reference: html.unescape(reference.group()), text)


def _blank(tag: re.Match[str]) -> str:
    return "" if _INLINE.fullmatch(tag.group(1)) else " "
