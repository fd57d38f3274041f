"""Words that tell a topic from the others: class-based TF-IDF (Grootendorst 2022)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from manyheads.errors import MissingExtra
from manyheads.text.scripts import UNSPACED
from manyheads.text.segment import Segmenter

_RUN = re.compile(rf"[{UNSPACED}]+|[^\W\d_{UNSPACED}][^\W_{UNSPACED}]+")
_UNSPACED = re.compile(f"[{UNSPACED}]")
# A word of a topic with a share of all texts is so many times as frequent there, at least: twice in
# one of eight, three times in one of 27.
_LIFT = 1 / 3  # power of the inverse share
_FEWEST = 2  # texts of a topic with a word that names it


def topic_words(
    texts: Sequence[str], topic_N: np.ndarray, topics: int, count: int
) -> list[tuple[str, ...]]:
    """Return for each topic the `count` words that tell it from the others, the best first.

        share of the topic's words · ln(1 + words of a topic on average / how often it is in all)

    A text counts once for a word. What is nearly as frequent everywhere, such as articles, names
    no topic. Texts with the topic -1 count for no topic.
    """
    split = _splitter(texts)
    found = [Counter[str]() for _ in range(topics)]
    for text, topic in zip(texts, topic_N.tolist(), strict=True):
        if topic >= 0:
            found[topic].update(set(split(text)))
    sizes = [int((topic_N == topic).sum()) for topic in range(topics)]
    everywhere = sum(found, Counter[str]())
    average = sum(everywhere.values()) / max(1, topics)
    return [
        _named(own, everywhere, size / max(1, sum(sizes)), average)[:count]
        for own, size in zip(found, sizes, strict=True)
    ]


def _named(
    own: Counter[str], everywhere: Counter[str], part: float, average: float
) -> tuple[str, ...]:
    """Return the words of a topic that has this part of all texts, the best first."""
    total = max(1, sum(own.values()))
    lift = part * part**-_LIFT
    telling = {
        word: often
        for word, often in own.items()
        if often >= _FEWEST and often >= lift * everywhere[word]
    }
    weights = {
        word: often / total * np.log1p(average / everywhere[word])
        for word, often in (telling or own).items()
    }
    return tuple(sorted(weights, key=lambda word: (-weights[word], word)))


def _splitter(texts: Sequence[str]) -> Callable[[str], list[str]]:
    """Return what splits a text into words of two letters or more, in lower case.

    Chinese is split by jieba where it is installed, and else into pairs of neighbours.
    """
    segment: Callable[[str], list[str]] = _pairs
    if any(_UNSPACED.search(text) for text in texts):
        try:
            segmenter = Segmenter()
        except MissingExtra:
            pass
        else:

            def segment(run: str) -> list[str]:
                return [word.text for word in segmenter(run) if len(word.text) > 1]

    def split(text: str) -> list[str]:
        words: list[str] = []
        for run in _RUN.findall(text.casefold()):
            words += segment(run) if _UNSPACED.match(run) else [run]
        return words

    return split


def _pairs(run: str) -> list[str]:
    return [a + b for a, b in pairwise(run)]
