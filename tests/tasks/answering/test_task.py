"""Answering: what it asks of the data, what it learns, and when it says that there is no answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests import questions, tiny

import manyheads as mh
from manyheads.errors import ConfigError, DataError, RecipeError
from manyheads.tasks import Answering, Candidate, Noise, Reading, task_type
from manyheads.text import Cleaning, Head, Windows


@pytest.fixture(scope="module")
def learner() -> mh.Learner:
    return questions.learnt()


@pytest.fixture(scope="module")
def refusing() -> mh.Learner:
    return questions.learnt(refusing=True)


def test_a_model_from_scratch_learns_what_is_asked(learner: mh.Learner) -> None:
    """Whoever answers with a word of the right kind, but of another context, gets a quarter."""
    evaluation = learner.evaluate()
    assert evaluation.scores.exact_match > 0.7
    assert evaluation.baseline is not None and evaluation.baseline_name == "nearest sentence"
    assert evaluation.scores.f1_interval.low > evaluation.baseline.f1
    assert "unanswerable" not in str(evaluation)
    assert not learner.task.may_refuse and learner.task.threshold == 0


def test_a_model_learns_that_there_is_no_answer(refusing: mh.Learner) -> None:
    """To answer always scores two thirds at most, and to refuse always one."""
    assert refusing.task.may_refuse
    scores = refusing.evaluate().scores
    assert scores.unanswerable_accuracy > 0.4 and scores.answerable_f1 > 0.4
    assert "unanswerable accuracy" in str(refusing.evaluate())


def judged(learner: mh.Learner, threshold: float) -> float:
    found = replace(learner.task, threshold=threshold)
    again = mh.Learner.__new__(mh.Learner)
    again.__dict__ |= learner.__dict__ | {"task": found}
    return again.evaluate("valid", baseline=False).scores.f1


def test_the_threshold_is_the_best_one_of_the_validation_split(refusing: mh.Learner) -> None:
    best = judged(refusing, refusing.task.threshold)
    for threshold in np.linspace(-8, 8, 33):
        assert judged(refusing, float(threshold)) <= best + 1e-9
    assert judged(refusing, -50.0) == pytest.approx(1 / 3)  # all refused


def test_the_threshold_is_chosen_after_training_and_saved(tmp_path: Any) -> None:
    task = mh.Answering(threshold=50.0)
    data = questions.data(60, 30, refusing=True)
    recipe = questions.RECIPE.with_settings(["epochs=1"])
    learner = mh.Learner(questions.MODEL, task, data, recipe, quiet=True)
    assert learner.task.threshold == 50.0
    learner.fit()
    chosen = learner.task.threshold
    assert abs(chosen) < 20
    predictor = learner.predictor()
    assert predictor.task.threshold == chosen
    assert mh.load(predictor.save(tmp_path / "model")).task == learner.task
    without = replace(data, valid=None)
    learner = mh.Learner(questions.MODEL, task, without, recipe, quiet=True)
    learner.fit()
    assert learner.task.threshold == 50.0  # nothing to choose it on


def test_losses_of_rows_add_up_to_that_of_the_split(learner: mh.Learner) -> None:
    hard = learner.top_losses(60, "valid")
    assert sum(one.loss for one in hard) / 60 == pytest.approx(learner.evaluate().loss, rel=1e-4)
    assert hard[0].loss >= hard[-1].loss
    worst = str(hard[0])
    assert " → " in worst and "which" in worst


def none_and(text: str, none: float, score: float) -> list[Candidate]:
    return [Candidate(text, 2, 3, score), Candidate("", 0, 0, none)]


@pytest.mark.parametrize(
    ("task", "none", "chosen"),
    [
        (Answering(), 5.0, "x"),
        (Answering(may_refuse=True), 5.0, ""),
        (Answering(may_refuse=True), -5.0, "x"),
        (Answering(may_refuse=True, threshold=6.0), 5.0, "x"),
        (Answering(may_refuse=True, threshold=-6.0), -5.0, ""),
    ],
)
def test_when_there_is_said_to_be_no_answer(task: Answering, none: float, chosen: str) -> None:
    assert task.choose(none_and("x", none, 0.0)).text == chosen
    assert task.choose([Candidate("", 0, 0, 0.0)]).text == ""


COLUMNS = {"text": ["what?"] * 3, "pair": ["a red ball"] * 3, "label": ["red", "ball", "a red"]}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["a"], "label": ["a"]}, "pair='context'"),
        ({"text": ["a"], "pair": ["a"]}, "no label column"),
        (COLUMNS | {"label": ["red", "blue", "a"]}, r"1 of 3 rows .* \(row 1: 'blue'\)"),
        (COLUMNS | {"label": [1, 2, 3]}, "row 0: 1 are no answers"),
        (COLUMNS | {"label": [[], None, ""]}, "no training question has an answer"),
    ],
)
def test_what_cannot_be_learnt_is_refused(columns: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        mh.Answering().fit_to(columns, lambda row: f"row {row}")


def test_the_data_say_whether_answers_may_be_refused() -> None:
    assert not mh.Answering().fit_to(COLUMNS, str).may_refuse
    assert mh.Answering().fit_to(COLUMNS | {"label": ["red", [], "a"]}, str).may_refuse
    assert mh.Answering(may_refuse=True).fit_to(COLUMNS, str).may_refuse


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(RecipeError, match="longest=0"):
        mh.Answering(longest=0)


def test_a_task_is_made_again_from_json() -> None:
    task = mh.Answering(longest=12, may_refuse=True, threshold=-1.5)
    saved = task.to_json()
    assert task_type(task.name).from_json(saved) == task


def test_a_family_without_such_a_head_is_refused() -> None:
    decoder = tiny.DECODER.build(["some text"])
    with pytest.raises(ConfigError, match="no head for answers"):
        mh.Answering().prepared(decoder)


def test_contexts_are_read_in_windows_whatever_is_usual() -> None:
    pretrained = tiny.SCRATCH.build(tiny.lines(20).train.columns["text"])
    reader = mh.Answering().reader(pretrained, Reading(Cleaning(), Head, 60))
    assert reader.reader.truncation == Windows(60, 20)

    def own(most: int) -> Windows:
        return Windows(most, 5)

    chosen = mh.Answering().reader(pretrained, Reading(Cleaning(), own, 60))
    assert chosen.reader.truncation == Windows(60, 5)
    with pytest.raises(RecipeError, match="HTML"):
        mh.Answering().reader(pretrained, Reading(Cleaning(html=True), Head, 60))


def test_noise_hides_tokens_behind_the_unknown_one() -> None:
    task = mh.Answering()
    pretrained = tiny.SCRATCH.build(COLUMNS["pair"])
    reader = task.reader(pretrained, Reading(Cleaning(), Head, 60))
    windows = task.read(reader, COLUMNS, str)
    torch.manual_seed(0)
    batch = task.draw(windows * 40, reader, Noise(tokens=0.25))
    plain = task.collate(windows * 40)
    changed = batch.ids != plain.ids
    assert changed.float().mean() == pytest.approx(0.25, abs=0.04)
    assert (batch.ids[changed] == pretrained.tokenizer.unk_id).all()
    assert torch.equal(batch.targets, plain.targets)
    assert torch.equal(task.draw(windows, reader, Noise()).ids, task.collate(windows).ids)


def test_a_rehearsal_names_the_scores_that_judging_gives(
    learner: mh.Learner, refusing: mh.Learner
) -> None:
    for one in (learner, refusing):
        valid = one.data.valid
        assert valid is not None
        names = one.task.rehearsal(valid.columns).numbers().keys()
        assert names == one.evaluate(baseline=False).scores.numbers().keys()
