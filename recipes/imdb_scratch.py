"""IMDb from scratch: a small encoder and a tokenizer learnt from the 25,000 training reviews.

    python recipes/imdb_scratch.py DATA             (DATA holds imdb/)

Naive Bayes over uni- and bigrams reaches 0.859 on the full test split.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import manyheads as mh

RECIPE = mh.Recipe(
    epochs=5,
    learning_rate=1e-3,
    schedule="one_cycle",
    batch_size=32,
    batch_tokens=8_192,
    max_tokens=256,
    truncation="head_tail",
    weight_decay=0.1,
    dropout=0.2,
    token_dropout=0.3,
)
MODEL = mh.Scratch(
    layers=2, width=128, heads=4, max_tokens=256, tokenizer=mh.BytePair(vocabulary=20_000)
)


def main(data: Path) -> None:
    """Train on all reviews but 5 % for validation, and score the full test split."""
    begun = time.perf_counter()
    dataset = mh.read(data / "imdb", valid=0.05)
    print(dataset.summary())
    learner = mh.Learner(
        MODEL, mh.Classification(), dataset, RECIPE, cleaning=mh.Cleaning(html=True)
    )
    learner.fit()
    print(learner.evaluate())
    print(f"{(time.perf_counter() - begun) / 60:.1f} minutes in all")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
