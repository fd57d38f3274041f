"""Rules are the best there are on the rows they are chosen by, and do what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests import tiny
from torch.nn import functional

import manyheads as mh
from manyheads.errors import RecipeError
from manyheads.tasks.decision import (
    best_temperature,
    best_threshold,
    calibration_error,
    least_sure,
)


def draw(rows: int, sharpness: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs whose softmax, at a temperature of `sharpness`, is how their targets are drawn."""
    generator = torch.Generator().manual_seed(seed)
    honest = 2 * torch.randn(rows, 4, generator=generator)
    targets = torch.multinomial(honest.softmax(dim=1), 1, generator=generator)[:, 0]
    return honest * sharpness, targets


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 2.5])
def test_the_temperature_is_the_one_that_was_put_in(sharpness: float) -> None:
    outputs, targets = draw(20_000, sharpness)
    found = best_temperature(outputs, targets)
    assert found == pytest.approx(sharpness, rel=0.05)
    loss = functional.cross_entropy(outputs / found, targets)
    for other in (found * 0.97, found * 1.03):
        assert loss < functional.cross_entropy(outputs / other, targets)


def test_the_calibration_error_is_that_of_its_definition() -> None:
    generator = np.random.default_rng(0)
    confidence, right = generator.uniform(0, 1, 500), generator.uniform(0, 1, 500) < 0.6
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence >= low) & (confidence < low + 1 / 15)
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            expected += inside.mean() * gap
    assert calibration_error(confidence, right) == pytest.approx(expected)
    assert calibration_error(np.ones(3), np.array([True] * 3)) == 0


def f1(probabilities: np.ndarray, truth: np.ndarray, threshold: float) -> float:
    said = probabilities >= threshold
    return 2 * (said & truth).sum() / max(1, said.sum() + truth.sum())


@pytest.mark.parametrize("seed", range(8))
def test_no_threshold_is_better(seed: int) -> None:
    generator = np.random.default_rng(seed)
    probabilities = generator.integers(0, 20, 60) / 20  # with equal ones
    truth = generator.uniform(0, 1, 60) < probabilities
    found = f1(probabilities, truth, best_threshold(probabilities, truth))
    assert found == max(f1(probabilities, truth, one) for one in [*probabilities, 0.0, 2.0])


def test_a_label_that_is_never_true_keeps_one_half() -> None:
    assert best_threshold(np.array([0.1, 0.9]), np.array([False, False])) == 0.5


@pytest.mark.parametrize("precision", [0.5, 0.8, 0.95, 0.999])
def test_what_is_sure_is_right_as_often_as_was_asked_for(precision: float) -> None:
    outputs, targets = draw(3000, 1.0, seed=1)
    confidence, guess = (one.numpy() for one in outputs.softmax(dim=1).max(dim=1))
    right = guess == targets.numpy()
    least = least_sure(confidence.astype(float), right, precision)
    sure = confidence >= least
    assert not sure.any() or right[sure].mean() >= precision
    lower = confidence[confidence < least]
    for one in np.sort(lower)[::-1][:200]:  # to be less strict would be too much
        assert right[confidence >= one].mean() < precision


def test_nothing_is_sure_where_nothing_is_right() -> None:
    least = least_sure(np.array([0.7, 0.9]), np.array([False, False]), 0.9)
    assert least > 0.9


def test_what_is_not_known_yet_is_not_said() -> None:
    assert str(mh.Calibrated()) == "temperature 1.000"
    assert str(mh.Calibrated(0.95)) == "temperature 1.000"
    assert str(mh.Calibrated(0.95, sure_from=0.7)) == "temperature 1.000; sure from 0.700 on"
    assert str(mh.Thresholds()) == "thresholds to be chosen for macro F1"
    agreed = mh.Calibrated(error_before=0.2, error_after=0.1).agreed([mh.Calibrated()])
    assert str(agreed) == "temperature 1.000"


@pytest.mark.parametrize("precision", [0.0, 1.0, 95.0])
def test_a_precision_is_a_share(precision: float) -> None:
    with pytest.raises(RecipeError, match="is no share"):
        mh.Calibrated(precision)


def test_a_classifier_is_calibrated_after_training_and_saved_so(tmp_path: Path) -> None:
    data = tiny.moods(80, valid=0.4)
    texts = data.valid.columns["text"]
    data.train.columns["label"][::3] = data.train.columns["label"][1::3]  # doubts
    recipe = mh.Recipe(epochs=6, learning_rate=1e-2)
    task = mh.Classification(calibration=mh.Calibrated(precision=0.9))
    learner = mh.Learner(tiny.SCRATCH, task, data, recipe, quiet=True)
    learner.fit()
    chosen = learner.task.calibration
    assert chosen.temperature != 1.0 and chosen.error_before is not None
    batch = learner.task.collate(learner.examples["valid"])
    with torch.no_grad():
        outputs = learner.model.eval()(batch)
    expected = (outputs / chosen.temperature).softmax(dim=1).numpy()
    learner.predictor().save(tmp_path)
    opened = mh.load(tmp_path)
    assert np.abs(opened.probabilities(texts) - expected).max() < 1e-5
    for one in opened(texts):
        assert one.is_sure == (one.probability >= chosen.sure_from)
        assert str(one) == (one.label if one.is_sure else f"not sure ({one.label})")


@pytest.mark.parametrize("average", mh.Average)
def test_thresholds_of_labels_are_chosen_and_saved(tmp_path: Path, average: mh.Average) -> None:
    rows = tiny.mood_rows(90, ("good", "bad", "so-so"))
    labels = [
        [label, "rare"] if number % 9 == 0 else [label] for number, (_, label) in enumerate(rows)
    ]
    data = mh.read({"text": [text for text, _ in rows], "label": labels}, valid=0.4)
    task = mh.MultiLabel(thresholds=mh.Thresholds(average))
    recipe = mh.Recipe(epochs=4, learning_rate=1e-2)
    learner = mh.Learner(tiny.SCRATCH, task, data, recipe, quiet=True)
    learner.fit()
    found = learner.task.thresholds.values
    assert len(found) == 4 and (len(set(found)) == 1) == (average is mh.Average.MICRO)
    name = f"{average.value}_f1"
    with_rule = learner.evaluate("valid", baseline=False).scores.value(name)
    learner.task = mh.MultiLabel(learner.task.labels)
    assert with_rule >= learner.evaluate("valid", baseline=False).scores.value(name)
    learner.task = mh.MultiLabel(learner.task.labels, thresholds=mh.Thresholds(average, found))
    learner.predictor().save(tmp_path)
    assert mh.load(tmp_path).task.thresholds == mh.Thresholds(average, found)
