"""Models and tables so small that a whole training takes a second."""

from __future__ import annotations

import csv
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import manyheads as mh
from manyheads.data import Split
from manyheads.hub import Pretrained

# For new processes, wherever they run: the package under test, and one thread.
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(Path(mh.__file__).parents[1]),
    "OMP_NUM_THREADS": "1",
    "COLUMNS": "100",
}

SCRATCH = mh.Scratch(
    layers=1, width=32, heads=2, max_tokens=64, tokenizer=mh.BytePair(vocabulary=300)
)

SEQ2SEQ = mh.ScratchSeq2Seq(
    layers=1, width=32, heads=2, max_tokens=64, tokenizer=mh.BytePair(vocabulary=300)
)

DECODER = mh.ScratchDecoder(layers=1, width=32, heads=2, max_tokens=64, tokenizer=mh.Characters())

_MOODS = {
    "good": ("lovely", "great", "superb", "happy"),
    "bad": ("awful", "poor", "broken", "sad"),
    "so-so": ("average", "middling", "plain", "usual"),
}
_FILLERS = ("the", "food", "was", "and", "a", "table", "we", "had", "it", "there")


def mood_rows(
    count: int, labels: Sequence[str] = ("good", "bad"), seed: int = 0
) -> list[tuple[str, str]]:
    """Texts of 4 to 13 words with two words that give their label away."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        label = labels[number % len(labels)]
        words = [draw.choice(_FILLERS) for _ in range(draw.randint(2, 11))]
        for _ in range(2):
            words.insert(draw.randrange(len(words) + 1), draw.choice(_MOODS[label]))
        rows.append((" ".join(words), label))
    return rows


def moods(
    count: int = 48,
    *,
    labels: Sequence[str] = ("good", "bad"),
    valid: Any = None,
    test: Any = None,
    seed: int = 0,
) -> mh.Dataset:
    """A data set that a model learns within a few updates."""
    return table(mood_rows(count, labels, seed), valid=valid, test=test)


def table(rows: Sequence[tuple[str, Any]], *, valid: Any = None, test: Any = None) -> mh.Dataset:
    """A data set of rows of a text and a label."""
    return mh.read(columns(rows), valid=valid, test=test)


def columns(rows: Sequence[tuple[str, Any]]) -> dict[str, list[Any]]:
    """Rows of a text and a label as a mapping of lists."""
    return {"text": [text for text, _ in rows], "label": [label for _, label in rows]}


TAGGING = mh.Recipe(batch_size=8, learning_rate=1e-2, epochs=8, max_tokens=64)

_NAMES = {"PER": ("Anna", "Béla", "Carl Otto", "Dora"), "LOC": ("Bonn", "New York", "Oslo", "Rome")}
_VERBS = ("met", "saw", "left", "found")


def named_rows(count: int, seed: int = 0) -> list[tuple[str, list[tuple[int, int, str]]]]:
    """Sentences with persons and places, and the characters that each of them has."""
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        text, spans = "", []
        for kind, before in (("PER", ""), ("PER", f" {draw.choice(_VERBS)} "), ("LOC", " in ")):
            name = draw.choice(_NAMES[kind])
            start = len(text) + len(before)
            text += before + name
            spans.append((start, start + len(name), kind))
        rows.append((f"{text}.", spans))
    return rows


def names(count: int = 60, *, valid: int = 0, test: int = 0) -> mh.Dataset:
    """A data set of names that a model learns to find within seconds."""

    def split(rows: int, seed: int) -> dict[str, list[Any]] | None:
        return columns(named_rows(rows, seed)) if rows else None

    return mh.read(columns(named_rows(count)), valid=split(valid, 1) or 0, test=split(test, 2))


def speech(count: int = 60) -> mh.Dataset:
    """A data set of words with what each of them is."""
    kinds = dict.fromkeys(_VERBS, "VERB") | {"in": "ADP", ".": "PUNCT"}
    words = [text.replace(".", " .").split() for text, _ in named_rows(count)]
    tags = [[kinds.get(word, "NOUN") for word in row] for row in words]
    return mh.read({"words": words, "tags": tags}, valid=0)


_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def digit_rows(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Two to six digits, and the same digits as words."""
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        digits = [draw.randrange(10) for _ in range(draw.randint(2, 6))]
        rows.append((" ".join(map(str, digits)), " ".join(_DIGITS[digit] for digit in digits)))
    return rows


def translations(count: int = 48, *, valid: int = 0, seed: int = 0) -> mh.Dataset:
    """A data set of sources and targets that a model learns to translate within seconds."""

    def split(name: str, rows: list[tuple[str, str]]) -> Split:
        columns = {"text": [text for text, _ in rows], "target": [target for _, target in rows]}
        return Split(name, "digits", range(1, len(rows) + 1), columns)

    held_out = split("valid", digit_rows(valid, seed + 1)) if valid else None
    names = {"text": "text", "target": "target"}
    return mh.Dataset(split("train", digit_rows(count, seed)), held_out, None, names)


def lines(count: int = 60, *, valid: int = 0, seed: int = 0) -> mh.Dataset:
    """A data set of plain lines of text."""

    def split(name: str, rows: list[tuple[str, str]]) -> Split:
        return Split(name, "lines", range(1, len(rows) + 1), {"text": [text for text, _ in rows]})

    held_out = split("valid", mood_rows(valid, seed=seed + 1)) if valid else None
    return mh.Dataset(split("train", mood_rows(count, seed=seed)), held_out, None, {"text": "text"})


def write_csv(
    path: Path, rows: Sequence[Sequence[Any]], header: Sequence[str] = ("text", "label")
) -> Path:
    """Write rows as a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def body(data: mh.Dataset) -> Pretrained:
    """A small encoder with a tokenizer learnt from the training texts."""
    return SCRATCH.build(data.train.columns["text"])
