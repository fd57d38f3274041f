"""Which paragraph answers a question? A cross-encoder of all-MiniLM-L6-v2 orders what was found.

    python recipes/reranking_squad.py DATA          (DATA holds squad/)

It learns from 3,000 training questions, each with its paragraph and with the one that MiniLM finds
nearest of the others. Then 300 questions are put to a library of all paragraphs of the development
split, and the first 20 passages are read and ordered anew.
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
from manyheads.library.modes import Mode

TAUGHT, ASKED = 3000, 300  # questions
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
    pairs = {"text": taught.columns["text"], "pair": taught.columns["pair"]}
    mined = mh.mine_negatives(mh.read(pairs, pair="pair", valid=0), mh.load(MINILM))
    learner = mh.Learner(MINILM, mh.Reranking(), mined, RECIPE)
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
            "both": mh.ByBoth(),
            "both, reranked": mh.Reranked(reranker, depth=READ),
        }
        for name, mode in ways.items():
            report(f"{name}:", library, asked, contexts, mode)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
