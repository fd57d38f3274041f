"""Few shots through the learner: what is trained, saved, resumed and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests import tiny
from tests.train.broken_off import assert_same, break_off

import manyheads as mh
from manyheads.errors import RecipeError
from manyheads.hub import Pretrained
from manyheads.tasks import Classification, FewShot
from manyheads.tasks.similarity.few_shot import Contrast

RECIPE = mh.Recipe(
    batch_size=8, learning_rate=3e-3, epochs=2, checkpoint_every=1, dropout=0.1, average=0.6
)


@pytest.fixture(scope="module")
def data() -> mh.Dataset:
    return tiny.moods(12, test=tiny.columns(tiny.mood_rows(40, seed=6)))


@pytest.fixture(scope="module")
def body(data: mh.Dataset) -> Pretrained:
    return tiny.body(data)


def learner(body: Pretrained, data: mh.Dataset, folder: Path | None = None) -> mh.Learner:
    task = FewShot(pairs_per_text=4)
    return mh.Learner(body, task, data, RECIPE, folder=folder, quiet=True)


@pytest.fixture(scope="module")
def trained(body: Pretrained, data: mh.Dataset) -> mh.Learner:
    one = learner(body, data)
    one.fit()
    return one


def contrast(one: mh.Learner) -> float:
    lesson, twins = one.task.lessons(one.examples["train"], seed=7)
    assert isinstance(lesson, Contrast)
    with torch.no_grad():
        return float(lesson.loss(one.model.eval(), lesson.collate(twins)).mean)


def test_the_body_tells_classes_apart_and_the_head_reads_it(
    body: Pretrained, data: mh.Dataset, trained: mh.Learner
) -> None:
    assert len(trained.history.steps) == 2 * 12  # of 8 pairs
    assert contrast(trained) < 0.5 * contrast(learner(body, data))
    assert trained.evaluate("train").scores.accuracy == 1.0
    evaluation = trained.evaluate()
    assert evaluation.scores.accuracy >= 0.8
    assert evaluation.baseline is not None


def test_the_head_is_the_best_reading_of_the_body_as_it_is_now(trained: mh.Learner) -> None:
    before = trained.model.head.out.weight.clone()
    trained._complete()
    torch.testing.assert_close(trained.model.head.out.weight, before, atol=1e-4, rtol=1e-3)


def test_what_is_saved_is_a_classifier_like_any_other(trained: mh.Learner, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    predictor = trained.predictor()
    folder = predictor.save(tmp_path / "model")
    opened = mh.load(folder)
    assert type(opened.task) is Classification
    texts = ["the food was superb", "食物 很 好", "a broken table"]
    expected = predictor.probabilities(texts)
    np.testing.assert_allclose(opened.probabilities(texts), expected, atol=1e-6)
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    assert list(theirs.config.label2id) == ["bad", "good"]
    ids = trained.reader.read(texts)[0].pieces[0].ids
    with torch.no_grad():
        logits = theirs(input_ids=torch.tensor([list(ids)])).logits
    np.testing.assert_allclose(logits.softmax(-1)[0].numpy(), expected[0], atol=1e-5)


def test_an_ordinary_training_goes_on_where_it_ended(
    trained: mh.Learner, data: mh.Dataset, tmp_path: Path
) -> None:
    folder = trained.predictor().save(tmp_path / "model")
    on = mh.Learner(str(folder), Classification(), data, RECIPE, quiet=True)
    assert on.model.answers
    on.fit(epochs=1)
    assert on.evaluate().scores.accuracy >= 0.8


def test_each_validation_has_a_head_of_its_own(body: Pretrained) -> None:
    data = tiny.moods(12, valid=tiny.columns(tiny.mood_rows(20, seed=5)))
    one = learner(body, data)
    history = one.fit()
    scores = [validation.scores for validation in history.validations]
    assert len(scores) == 2
    best = max(score["accuracy"] for score in scores)
    assert one.evaluate("valid").scores.accuracy == pytest.approx(best)


@pytest.mark.parametrize("at", [1, 12, 24])
def test_a_run_that_was_broken_off_goes_on(
    body: Pretrained, data: mh.Dataset, trained: mh.Learner, tmp_path: Path, at: int
) -> None:
    break_off(learner(body, data, tmp_path), at=at)
    torch.rand(17)
    resumed = learner(body, data, tmp_path)
    resumed.fit(resume=True)
    assert_same(resumed, trained)


def test_the_learning_rate_is_looked_for_in_pairs(body: Pretrained, data: mh.Dataset) -> None:
    one = learner(body, data)
    assert one.find_lr(mh.RangeTest(40)).suggestion > 0
    rates = (1e-5, 1e-3)
    assert one.find_lr(mh.RateProbes(rates=rates, shortest=2, share=1e-9)).best.rate in rates


def test_a_body_that_knows_nothing_is_refused(data: mh.Dataset) -> None:
    with pytest.raises(RecipeError, match="published"):
        mh.Learner(tiny.SCRATCH, FewShot(), data, quiet=True)


def test_numbers_and_lists_are_no_classes() -> None:
    numbers = mh.read({"text": ["x", "y"], "label": [0.5, 1.5]}, valid=0)
    with pytest.raises(mh.ManyHeadsError, match="Regression"):
        mh.Learner(tiny.SCRATCH.build(["x y"]), FewShot(), numbers, quiet=True)
    lists = mh.read({"text": ["x", "y"], "label": [["a"], ["b"]]}, valid=0)
    with pytest.raises(mh.ManyHeadsError, match="MultiLabel"):
        mh.Learner(tiny.SCRATCH.build(["x y"]), FewShot(), lists, quiet=True)
