"""Small heads of all kinds on one body, and data for them."""

from __future__ import annotations

from pathlib import Path

from tests import questions, tiny

import manyheads as mh
from manyheads.data import Dataset

RECIPE = mh.Recipe(epochs=3, batch_size=8, learning_rate=1e-2, max_tokens=48)
TASK = mh.ManyHeads(
    {
        "mood": mh.Classification(),
        "names": mh.Tagging(),
        "score": mh.Regression(),
        "topics": mh.MultiLabel(),
        "answer": mh.Answering(),
    }
)


def data() -> dict[str, Dataset]:
    """A data set for each head, each of other rows."""
    rows = tiny.mood_rows(24)
    topics = [(text, [label, "long"] if len(text) > 40 else [label]) for text, label in rows]
    return {
        "mood": tiny.moods(32, valid=0.25),
        "names": tiny.names(24, valid=6),
        "score": tiny.table([(text, float(len(text))) for text, _ in rows], valid=0.25),
        "topics": tiny.table(topics, valid=0.25),
        "answer": questions.data(24, 6),
    }


def learner(folder: Path | None = None, recipe: mh.Recipe = RECIPE) -> mh.Learner:
    """A learner of all heads."""
    return mh.Learner(questions.MODEL, TASK, data(), recipe, folder=folder, quiet=True)
