"""Languages by their codes: which tokens name them, and where in a text these tokens stand.

Marian     ">>fra<< Hello </s>"            →  "Bonjour </s>"
mBART      "Hello </s> en_XX"              →  "fr_XX" begins the decoder, then "Bonjour </s>"
mBART-50   "en_XX Hello </s>"              →  "fr_XX Bonjour </s>"
M2M, NLLB  "__en__ Hello </s>"             →  "__fr__ Bonjour </s>"
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from manyheads.errors import GenerationError, did_you_mean
from manyheads.text import Tokenizer

_LEADING = re.compile(r">>(\w+)<<")  # in front of the source, wherever that goes
_FRAMING = re.compile(r"__([a-z]{2,3})__|([a-z]{2,3}_[A-Z]{2})|([a-z]{3}_[A-Z][a-z]{3})")


@dataclass(frozen=True)
class Languages:
    """What the vocabulary of a tokenizer says of languages."""

    tokenizer: Tokenizer

    @cached_property
    def leading(self) -> dict[str, int]:
        """The token of each code that stands in front of a source and names what to write."""
        return self._found(_LEADING)

    @cached_property
    def framing(self) -> dict[str, int]:
        """The token of each code that frames a text and names what it is written in."""
        found, special = self._found(_FRAMING), self.tokenizer.special_ids
        return {code: token for code, token in found.items() if token in special}

    @property
    def codes(self) -> list[str]:
        """All codes."""
        return sorted({**self.leading, **self.framing})

    def source(self, ids: Sequence[int], source: str | None, target: str | None) -> list[int]:
        """Return the tokens of a framed source with its languages named.

        Raises `GenerationError` for a code that there is not.
        """
        ids = self.framed(ids, source)
        if target is not None and target in self.leading:
            return [self.leading[target], *ids]
        return ids

    def framed(self, ids: Sequence[int], code: str | None) -> list[int]:
        """Return framed tokens with the language of their frame changed to another one.

        Raises `GenerationError` for a code that no frame has.
        """
        if code is None:
            return list(ids)
        token, known = self._token(code, self.framing), set(self.framing.values())
        ends = {0, 1, len(ids) - 1}
        if not any(ids[at] in known for at in ends if 0 <= at < len(ids)):
            raise GenerationError(
                f"this tokenizer frames no text by its language; leave out {code!r}"
            )
        return [token if at in ends and one in known else one for at, one in enumerate(ids)]

    @property
    def frames(self) -> bool:
        """Whether the language of a text stands beside it, unless another is named."""
        before, after = self.tokenizer.frame
        return self.begins([*before, *after])

    def reading(self, source: str | None, target: str | None) -> Tokenizer:
        """Return the tokenizer of sources in a language that are to be written in another.

        Raises `GenerationError` for a code that there is not.
        """
        leading = [self.leading[target]] if target is not None and target in self.leading else []
        if source is None and not leading:
            return self.tokenizer
        before, after = self.tokenizer.frame if source is None else self._renamed(source)
        return self.tokenizer.framed_by([*leading, *before], after)

    def writing(self, target: str) -> tuple[Tokenizer, int]:
        """Return the tokenizer of what is written in a language, and the token that names it.

        The token stands in front of a text, or it is what the decoder begins with: where the frame
        has it behind a text. Raises `GenerationError` for a code that there is not.
        """
        before, after = self._renamed(target)
        return self.tokenizer.framed_by(before, self.written(after)), self.framing[target]

    def _renamed(self, code: str) -> tuple[list[int], list[int]]:
        """Return the tokens before and behind a text with the language changed to another one."""
        before, after = self.tokenizer.frame
        ids = self.framed([*before, *after], code)
        return ids[: len(before)], ids[len(before) :]

    def written(self, ids: Sequence[int]) -> list[int]:
        """Return a framed output without the languages that frame it."""
        inside, known = list(ids), set(self.framing.values())
        while inside and inside[-1] in known:
            inside.pop()
        while inside and inside[0] in known:
            inside.pop(0)
        return inside

    def begins(self, tokens: Sequence[int]) -> bool:
        """Whether what an output begins with names the language that it is written in."""
        return not set(self.framing.values()).isdisjoint(tokens)

    def first(self, target: str | None) -> int | None:
        """Return the token that an output in a language begins with; None where there is none.

        Raises `GenerationError` for a code that there is not.
        """
        if target is None or target in self.leading:
            return None
        return self._token(target, self.framing)

    def _token(self, code: str, known: dict[str, int]) -> int:
        if code not in known:
            if not self.codes:
                raise GenerationError(
                    f"this model names no languages, so that it cannot choose {code!r}; leave it "
                    "out, or choose a model for several languages"
                )
            near = sorted(self.codes, key=lambda one: one[:2].casefold() != code[:2].casefold())
            some = ", ".join(near[:12]) + (", …" if len(near) > 12 else "")
            raise GenerationError(
                f"language {code!r} is not known.{did_you_mean(code, self.codes)} There are: {some}"
            )
        return known[code]

    def _found(self, pattern: re.Pattern[str]) -> dict[str, int]:
        matches = (
            (pattern.fullmatch(token), number)
            for token, number in self.tokenizer.vocabulary.items()
        )
        return {match.group(match.lastindex or 0): number for match, number in matches if match}
