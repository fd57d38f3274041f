"""Small made-up questions about contexts, which a model learns within seconds."""

from __future__ import annotations

import random
from typing import Any

import manyheads as mh

KINDS = {
    "color": ("red", "blue", "green", "dark grey"),
    "animal": ("cat", "dog", "red fox", "horse"),
    "city": ("rome", "oslo", "lima", "new york"),
}
FILLERS = ("we", "saw", "it", "then", "and", "there", "was", "a", "some", "of", "big", "old")
MODEL = mh.Scratch(layers=2, width=32, heads=2, max_tokens=64, tokenizer=mh.WordPiece(200))
RECIPE = mh.Recipe(epochs=10, learning_rate=5e-3, batch_size=16, max_tokens=48)


def rows(count: int, seed: int = 0, *, refusing: bool = False) -> dict[str, list[Any]]:
    """Contexts of a word of each kind among others; where `refusing`, a third lacks what is asked.

    Answers have places as SQuAD has them.
    """
    draw = random.Random(seed)
    columns: dict[str, list[Any]] = {"question": [], "context": [], "answers": []}
    for number in range(count):
        asked = draw.choice(list(KINDS))
        is_there = not (refusing and number % 3 == 0)
        words = [draw.choice(FILLERS) for _ in range(draw.randint(4, 14))]
        chosen = {kind: draw.choice(words_of) for kind, words_of in KINDS.items()}
        for kind, word in chosen.items():
            if kind != asked or is_there:
                words.insert(draw.randint(0, len(words)), word)
        context = " ".join(words)
        answer: dict[str, list[Any]] = {"text": [], "answer_start": []}
        if is_there:
            at = f" {context} ".index(f" {chosen[asked]} ")
            answer = {"text": [chosen[asked]], "answer_start": [at]}
        columns["question"].append(f"which {asked} was it?")
        columns["context"].append(context)
        columns["answers"].append(answer)
    return columns


def data(count: int = 300, valid: int = 60, *, refusing: bool = False) -> mh.Dataset:
    """Questions to learn from and others to judge by."""
    held_out = rows(valid, seed=1, refusing=refusing) if valid else 0
    return mh.read(rows(count, refusing=refusing), valid=held_out)


def learnt(*, refusing: bool = False) -> mh.Learner:
    """A learner that was trained on them."""
    learner = mh.Learner(MODEL, mh.Answering(), data(refusing=refusing), RECIPE, quiet=True)
    learner.fit()
    return learner
