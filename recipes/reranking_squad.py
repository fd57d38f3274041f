"""Which paragraph answers a question? A cross-encoder of all-MiniLM-L6-v2 orders what was found.

    python recipes/reranking_squad.py DATA          (DATA holds squad/)

It learns from 2,000 training questions, each with its paragraph and with two others: one by chance,
and the one that MiniLM finds nearest. From the nearest alone it learns nothing in so short a time:
what tells them from the right ones is too little to begin with. Then 300 questions are put to a
library of all paragraphs of the development split, and the first 20 passages are read and ordered
anew.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from judged import MINILM
from paragraphs import READ, library_of, report

import manyheads as mh
from manyheads.data import Split
from manyheads.library.modes import Mode

TAUGHT, ASKED = 2000, 300  # questions
RECIPE = mh.Recipe(
    epochs=1, learning_rate=2e-4, batch_size=16, max_tokens=192, layer_decay=0.9, warmup=0.1
)


def main(data: Path) -> None:
    """Train the reranker, and compare the order that it makes with those before."""
    squad = mh.read(data / "squad")
    assert squad.valid is not None
    begun = time.process_time()
    rows = random.Random(0).sample(range(len(squad.train)), TAUGHT)
    taught = squad.train.take(rows)
    learner = mh.Learner(MINILM, mh.Reranking(), with_others(taught), RECIPE)
    learner.fit()
    reranker = learner.predictor()
    print(f"{(time.process_time() - begun) / 60:.1f} CPU minutes of training", flush=True)
    contexts = list(dict.fromkeys(squad.valid.columns["pair"]))
    asked = squad.valid.take(random.Random(1).sample(range(len(squad.valid)), ASKED))
    with tempfile.TemporaryDirectory() as folder:
        library = library_of(contexts, Path(folder) / "library")
        ways: dict[str, Mode] = {
            "words": mh.ByWords(),
            "meaning": mh.ByMeaning(),
            "meaning, reranked": mh.Reranked(reranker, mh.ByMeaning(), depth=READ),
            "both": mh.ByBoth(),
            "both, reranked": mh.Reranked(reranker, depth=READ),
        }
        for name, mode in ways.items():
            report(f"{name}:", library, asked, contexts, mode)


def with_others(taught: Split) -> mh.Dataset:
    """Return questions with their paragraphs and with others, one a row: by chance, and near."""
    questions, paragraphs = taught.columns["text"], taught.columns["pair"]
    pairs = mh.read({"text": questions, "pair": paragraphs}, pair="pair", valid=0)
    near = mh.mine_negatives(pairs, mh.load(MINILM)).train.columns
    draw = random.Random(0)
    others = [draw.choice([one for one in paragraphs if one != own]) for own in paragraphs]
    rows = {
        "text": [*questions, *near["text"]],
        "pair": [*paragraphs, *near["pair"]],
        "negative": [*others, *near["negative"]],
    }
    return mh.read(rows, pair="pair", negative="negative", valid=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
