"""From text to tokens, always in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from manyheads.text import Cleaning, Encoded, Tokenizer, Truncation


@dataclass(frozen=True)
class Reader:
    """From text to tokens, always in the same way: clean, tokenize, truncate."""

    tokenizer: Tokenizer
    cleaning: Cleaning
    truncation: Truncation

    def read(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> list[Encoded]:
        """Return the tokens of each text, or of each pair of texts; raises `TextError`."""
        clean_pairs = None if pairs is None else self.clean(pairs)
        return self.tokenizer.encode(self.clean(texts), clean_pairs, truncation=self.truncation)

    def clean(self, texts: Sequence[str]) -> Sequence[str]:
        """Clean each text; what is none is left to the tokenizer, which refuses it by number."""
        if isinstance(texts, str):
            return texts
        return [self.cleaning(text) if isinstance(text, str) else text for text in texts]
