"""From text to tokens, always in the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manyheads.errors import TextError
from manyheads.text import Cleaning, Encoded, Tokenizer, Truncation

_NO_TEXTS = ("label", "image")


def cleaned(columns: Mapping[str, Sequence[Any]], cleaning: Cleaning) -> dict[str, Sequence[Any]]:
    """Return columns with all texts cleaned; labels and images stay as they are."""
    return {
        role: values if role in _NO_TEXTS else [cleaning(text) for text in values]
        for role, values in columns.items()
    }


@dataclass(frozen=True)
class Reader:
    """From text to tokens, always in the same way: clean, tokenize, truncate.

    One that is `paired` reads pairs alone, as its model was trained on nothing else.
    """

    tokenizer: Tokenizer
    cleaning: Cleaning
    truncation: Truncation
    paired: bool = False

    def read(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> list[Encoded]:
        """Return the tokens of each text, or of each pair of texts; raises `TextError`."""
        if self.paired and pairs is None:
            raise TextError(
                "this model was trained on pairs of texts; give the second texts too (their column "
                "by --pair COL, or one for all by --context TEXT)"
            )
        clean_pairs = None if pairs is None else self.clean(pairs)
        return self.tokenizer.encode(self.clean(texts), clean_pairs, truncation=self.truncation)

    def clean(self, texts: Sequence[str]) -> Sequence[str]:
        """Clean each text; what is none is left to the tokenizer, which refuses it by number."""
        if isinstance(texts, str):
            return texts
        return [self.cleaning(text) if isinstance(text, str) else text for text in texts]

    def traced(self, texts: Sequence[str]) -> tuple[list[str], list[Sequence[int] | None]]:
        """Clean each text; return for each character where it was, None where nothing moved.

        Raises `RecipeError` where HTML is cleaned.
        """
        pairs = [
            self.cleaning.traced(text) if isinstance(text, str) else (text, None) for text in texts
        ]
        return [text for text, _ in pairs], [origins for _, origins in pairs]
