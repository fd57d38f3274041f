"""What the recipes that write have in common: train, score, show, save."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import manyheads as mh
from manyheads.data import Dataset
from manyheads.hub.scratch import Blueprint
from manyheads.tasks import TextToText

# What small models from scratch share: half a cosine after a warm-up, and averaged weights.
# `with_settings` changes what is special to a task.
RECIPE = mh.Recipe(
    learning_rate=1.5e-3,
    schedule="cosine",
    warmup=0.08,
    betas=(0.9, 0.98),
    batch_size=None,
    batch_tokens=4_096,
    average=0.998,
    metric="loss",
)


def pairs(folder: Path, text: str, target: str, test: str = "test") -> Dataset:
    """Read a data set of texts with targets, in the files that it brings."""
    return mh.read(
        folder / "train.jsonl.gz",
        text=text,
        target=target,
        valid=folder / "valid.jsonl.gz",
        test=folder / f"{test}.jsonl.gz",
    )


def run(
    model: str | Blueprint,
    task: TextToText,
    data: Dataset,
    recipe: mh.Recipe,
    out: Path | None,
    shown: int = 20,
) -> None:
    """Train by the loss of the validation split, write the test split, and print all of it.

    Validation does not write: that would take as long as training. The first rows of the test
    split are shown as they come.
    """
    print(data.summary(), flush=True)
    run_folder = None if out is None else out / "run"
    task = replace(task, write_in_training=False)
    learner = mh.Learner(model, task, data, recipe, folder=run_folder)
    fit(learner, resume=run_folder is not None and run_folder.exists())
    print(learner.evaluate(), flush=True)
    predictor = learner.predictor()
    if out is not None:
        predictor.save(out)
    assert data.test is not None
    sources = data.test.columns["text"][:shown]
    for source, wanted, written in zip(
        sources, data.test.columns["target"], predictor(sources), strict=False
    ):
        print(f"\n  {source[:300]}\n→ {written}\n= {wanted}")


def fit(learner: mh.Learner, *, resume: bool = False) -> None:
    """Train, and print how long that took."""
    begun, worked = time.perf_counter(), time.process_time()
    learner.fit(resume=resume)
    wall, cpu = time.perf_counter() - begun, time.process_time() - worked
    print(f"{wall / 60:.1f} minutes, {cpu / 60:.1f} CPU minutes, of training", flush=True)
