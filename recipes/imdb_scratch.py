"""IMDb from scratch: a small encoder and a tokenizer learnt from the 25,000 training reviews.

    python recipes/imdb_scratch.py DATA             (DATA holds imdb/)

Naive Bayes over uni- and bigrams reaches 0.859 on the full test split.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import manyheads as mh

# What a review says of its film must not be learnt by heart, for the test reviews are of other
# films: half of the tokens are left out each time a review is read, rare words are cut in pieces,
# and the average of the weights is kept.
RECIPE = mh.Recipe(
    epochs=4,
    learning_rate=8e-4,
    schedule="one_cycle",
    batch_size=32,
    batch_tokens=8_192,
    max_tokens=512,
    truncation="head_tail",
    weight_decay=0.1,
    dropout=0.0,
    token_dropout=0.5,
    average=0.995,
)
MODEL = mh.Scratch(
    layers=2, width=192, heads=6, max_tokens=512, tokenizer=mh.BytePair(vocabulary=8_000)
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
