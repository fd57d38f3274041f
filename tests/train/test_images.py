"""Learning what images show: real digits, resumed runs, and the rows that are hardest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.train.broken_off import assert_same, break_off

import manyheads as mh

Image = pytest.importorskip("PIL.Image")

AUGMENTED = mh.ImageClassification(augmentation=(mh.Shift(), mh.Flip(), mh.Erase(), mh.Mixup()))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def test_a_small_transformer_learns_to_read_digits():
    """1,797 digits of scikit-learn, a fifth of them held out; guessing gets 0.1 right."""
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    images = (digits.images * 255 / 16).astype("uint8")
    data = mh.read_images((images, digits.target), valid=0, test=0.2)
    recipe = mh.Recipe(
        epochs=12,
        learning_rate=1e-3,
        schedule="cosine",
        warmup=0.1,
        weight_decay=0.05,
        precision="float32",
    )
    task = mh.ImageClassification(label_smoothing=0.1, augmentation=())
    blueprint = mh.ScratchImages(patch=2, layers=4, width=64, heads=4)
    learner = mh.Learner(blueprint, task, data, recipe, quiet=True)
    learner.fit()
    assert learner.evaluate(baseline=False).scores.accuracy > 0.95


def learner(folder: Path | None) -> mh.Learner:
    data = mh.read_images((noise(20, 8, 8), np.arange(20) % 2), valid=0.2)
    recipe = mh.Recipe(epochs=2, batch_size=4, learning_rate=3e-3, checkpoint_every=1)
    blueprint = mh.ScratchImages(layers=1, width=16, heads=2, dropout=0.1)
    return mh.Learner(blueprint, AUGMENTED, data, recipe, folder=folder, quiet=True)


@pytest.mark.parametrize("at", [1, 5])
def test_a_resumed_run_draws_the_same_changes(tmp_path: Path, at: int):
    undisturbed = learner(None)
    undisturbed.fit()
    break_off(learner(tmp_path), at=at)
    torch.rand(17)  # a new process has drawn other numbers
    resumed = learner(tmp_path)
    resumed.fit(resume=True)
    assert_same(resumed, undisturbed)


def test_the_hardest_rows_are_named_by_their_files(tmp_path: Path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(3):
            Image.fromarray(noise(8, 8)).save(tmp_path / name / f"{number}.png")
    data = mh.read_images(tmp_path, valid=0)
    blueprint = mh.ScratchImages(layers=1, width=16, heads=2)
    trained = mh.Learner(blueprint, AUGMENTED, data, mh.Recipe(epochs=1), quiet=True)
    trained.fit()
    hardest, *_ = trained.top_losses(2, split="train")
    assert hardest.where == hardest.text
    assert Path(hardest.text).is_file()
    assert hardest.label in ("cat", "dog")


def test_an_evaluation_has_its_baseline_and_its_picture(tmp_path: Path):
    trained = learner(None)
    trained.fit()
    evaluation = trained.evaluate("valid")
    assert evaluation.baseline_name == "logistic regression"
    assert "Truncation" not in str(evaluation)
    pytest.importorskip("matplotlib")
    evaluation.draw(tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").stat().st_size > 1000
