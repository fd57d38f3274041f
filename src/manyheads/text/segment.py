"""Chinese words: where a word begins and ends in text that is written without spaces.

Needs the optional package jieba (``pip install 'manyheads[zh]'``). Tokenizers do well without it;
words help where a person reads the result, and they can guide what a tokenizer learns.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import NamedTuple

from manyheads.errors import MissingExtra


class Word(NamedTuple):
    """A word and the characters ``start:end`` of the text that it stands at."""

    text: str
    start: int
    end: int


class Segmenter:
    """Splits text into words; Chinese by dictionary, the rest at its spaces and punctuation.

    Call it with a text. The words of a text, spaces and punctuation included, join to the text.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        """Load the dictionary, which takes about a second.

        Args:
            words: Words of the trade that the general dictionary lacks, to be kept whole.

        Raises:
            MissingExtra: jieba is not installed.
        """
        try:
            import jieba
        except ImportError as error:
            raise MissingExtra("jieba", "zh", "Splitting Chinese into words") from error
        jieba.setLogLevel(logging.WARNING)
        self._jieba = jieba.Tokenizer()  # its own, so that no other user of jieba sees our words
        self._jieba.initialize()
        for word in words:
            self._jieba.add_word(word)

    def __call__(self, text: str) -> list[Word]:
        """Return the words of ``text`` in order."""
        return [Word(*found) for found in self._jieba.tokenize(text)]
