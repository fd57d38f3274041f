"""Where the masks of a text stand, and how the text reads with tokens in their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from manyheads.text import Piece, Tokenizer

_SPACES = ("Ġ", "▁")  # how tokens are spelled that begin with a space: byte-level, SentencePiece


@dataclass(frozen=True)
class Blank:
    """A mask at ``text[start:end]``; the token before it ends at `before`."""

    before: int
    start: int
    end: int

    @classmethod
    def at(cls, text: str, piece: Piece, place: int) -> Self:
        """Return the mask that is a token of a piece, without the white space that it took in."""
        assert piece.offsets is not None
        start, end = piece.offsets[place]
        before = piece.offsets[place - 1][1] if place else 0
        taken = text[start:end]
        start += len(taken) - len(taken.lstrip())
        return cls(min(before, start), start, start + len(taken.strip()))


@dataclass(frozen=True)
class TextWithBlanks:
    """A text and its masks, from the left."""

    text: str
    mask_id: int
    blanks: Sequence[Blank]

    def filled(self, ids: Sequence[int], tokenizer: Tokenizer) -> str:
        """Return the text with a token in the place of each mask.

        The spaces are those of the text, but for a token that goes on with the word before it,
        which moves up to it, and one that begins with a space where the text has none.
        """
        written, at = "", 0
        for blank, number in zip(self.blanks, ids, strict=True):
            own = self._behind_another(number, tokenizer)
            goes_on = not own[:1].isspace()
            gap = self.text[blank.before : blank.start]
            if goes_on and blank.before and gap and not gap.strip(" "):
                written += self.text[at : blank.before]
            else:
                written += self.text[at : blank.start]
                (spelled,) = tokenizer.tokens([number])
                if spelled.startswith(_SPACES) and written and not written[-1].isspace():
                    written += " "
            written += own.strip() or own
            at = blank.end
        return written + self.text[at:]

    def _behind_another(self, number: int, tokenizer: Tokenizer) -> str:
        """Return what a token adds to a text in front of it."""
        mask = tokenizer.decode([self.mask_id], skip_special=False)
        return tokenizer.decode([self.mask_id, number], skip_special=False).removeprefix(mask)
