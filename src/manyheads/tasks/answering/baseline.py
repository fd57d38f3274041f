"""What an answerer has to beat: the sentence that shares most with the question."""

from __future__ import annotations

import re
from collections.abc import Sequence

from manyheads.text import sentences
from manyheads.text.scripts import UNSPACED

NEAREST_SENTENCE = "nearest sentence"
_WORDS = re.compile(f"[{UNSPACED}]|[^\\W{UNSPACED}]+")


def nearest_sentences(questions: Sequence[str], contexts: Sequence[str]) -> list[str]:
    """Return of each context the sentence that shares the most words with its question.

    Of several, the shortest; a word counts as often as it is in fewer sentences of the context.
    """
    return [_nearest(*one) for one in zip(questions, contexts, strict=True)]


def _nearest(question: str, context: str) -> str:
    asked = _words(question)
    parts = [(one.strip(), _words(one)) for one in sentences(context) if one.strip()]
    if not parts:
        return ""
    rarity = {word: 1 / sum(word in words for _, words in parts) for word in _seen(parts) & asked}

    def shared(part: tuple[str, set[str]]) -> tuple[float, int]:
        return sum(rarity.get(word, 0.0) for word in part[1]), -len(part[1])

    return max(parts, key=shared)[0]


def _words(text: str) -> set[str]:
    return set(_WORDS.findall(text.lower()))


def _seen(parts: Sequence[tuple[str, set[str]]]) -> set[str]:
    return set().union(*(words for _, words in parts))
