"""Many heads learn, are judged and are refused as each of them is alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from tests import many, questions, tiny

import manyheads as mh
from manyheads.data import Dataset
from manyheads.errors import ConfigError, DataError, ManyHeadsError, RecipeError
from manyheads.tasks import HeadBatch


@pytest.fixture(scope="module")
def learner() -> mh.Learner:
    one = many.learner()
    one.fit()
    return one


def test_all_heads_learn_on_one_body(learner: mh.Learner) -> None:
    scores = learner.evaluate().scores
    assert scores.value("mood.accuracy") > 0.8 and scores.value("names.f1") > 0.8
    mains = [value for name, value in scores.numbers().items() if name in MAINS]
    assert scores.value("mean") == pytest.approx(sum(mains) / 5)
    steps = learner.history.validations
    assert set(MAINS) <= set(steps[0].scores) and "mean" in steps[0].scores
    best = max(one.scores["mean"] for one in steps)
    assert scores.value("mean") == pytest.approx(best)


MAINS = ("mood.accuracy", "names.f1", "score.pearson", "topics.micro_f1", "answer.f1")


def test_each_head_is_judged_as_it_would_be_alone(learner: mh.Learner) -> None:
    judged = learner.evaluate()
    for head, data in learner.data.sets().items():
        alone = mh.Learner(learner.pretrained, many.TASK.tasks[head], data, many.RECIPE, quiet=True)
        alone.task = learner.task.tasks[head]
        alone.model.load_state_dict(learner.model.of(head).state_dict())
        expected = alone.evaluate()
        assert judged.scores.by_head[head].numbers() == pytest.approx(
            expected.scores.numbers(), nan_ok=True
        )
        assert judged.baseline is not None and expected.baseline is not None
        assert judged.baseline.by_head[head].numbers() == expected.baseline.numbers()


def test_the_hardest_rows_of_all_heads_are_found(learner: mh.Learner) -> None:
    hardest = learner.top_losses(40)
    places = {row.where for row in hardest}
    assert places & {one.describe(0) for one in learner.data.valid.parts.values()}
    losses = [row.loss for row in hardest]
    assert losses == sorted(losses, reverse=True)
    assert sum(losses) / len(losses) >= 1  # in mean losses of their heads
    assert learner.report().analysis is not None


def test_a_batch_weighs_by_its_samples_whatever_its_head_counts(learner: mh.Learner) -> None:
    samples = [one for one in learner.examples["train"] if one.head == "names"][:3]
    batch = learner.task.collate(samples)
    assert isinstance(batch, HeadBatch) and len(batch) == 3
    own = learner.task.tasks["names"].loss(learner.model.of("names"), batch.batch)
    loss = learner.task.loss(learner.model, batch)
    assert own.weight > loss.weight == 3  # words, sentences
    torch.testing.assert_close(loss.mean, own.mean)


def test_heads_share_the_body_and_nothing_else(learner: mh.Learner) -> None:
    names = [name for name, _ in learner.model.named_parameters()]
    assert all(name.startswith(("transformer.", "heads.")) for name in names)
    assert len(names) == len(set(names)) == len(learner.model.state_dict())
    bodies = {id(learner.model.of(head).transformer) for head in many.TASK.tasks}
    assert bodies == {id(learner.model.transformer)}


def test_any_name_of_a_module_is_a_name_of_a_head() -> None:
    task = mh.ManyHeads(
        {"type": mh.Classification(), "items": mh.Regression(), "主题": mh.Tagging()}
    )
    numbers = tiny.table([(text, float(len(text))) for text, _ in tiny.mood_rows(8)])
    data = {"type": tiny.moods(8), "items": numbers, "主题": tiny.names(6)}
    one = mh.Learner(tiny.SCRATCH, task, data, mh.Recipe(epochs=1), quiet=True)
    one.fit()
    assert list(one.predictor()("Anna in Bonn")) == ["type", "items", "主题"]


def test_rules_are_chosen_head_by_head() -> None:
    tasks = {"mood": mh.Classification(calibration=mh.Calibrated()), "names": mh.Tagging()}
    data = {"mood": tiny.moods(40, valid=0.5), "names": tiny.names(12)}
    one = mh.Learner(tiny.SCRATCH, mh.ManyHeads(tasks), data, many.RECIPE, quiet=True)
    one.fit()
    assert one.task.rule.startswith("mood: ")
    assert one.task.tasks["mood"].calibration.error_before is not None
    assert set(one.evaluate().scores.by_head) == {"mood"}  # names has no validation rows


@pytest.mark.parametrize(
    ("tasks", "settings", "said"),
    [
        ({}, {}, "there are no heads"),
        ({"a b": mh.Tagging()}, {}, "'a b' is no name"),
        ({"a.b": mh.Tagging()}, {}, "'a.b' is no name"),
        ({"a": mh.Embedding()}, {}, "head 'a': Embedding is no task of a head"),
        ({"a": mh.FewShot()}, {}, "FewShot is no task of a head"),
        ({"a": mh.LanguageModel()}, {}, "LanguageModel is no task"),
        ({"a": mh.Tagging()}, {"temperature": 0}, "temperature=0"),
        ({"a": mh.Tagging()}, {"weights": {"b": 1.0}}, "there is no head 'b'"),
        ({"a": mh.Tagging()}, {"weights": {"a": 0.0}}, r"weights\['a'\]=0.0"),
        ({"a": mh.Tagging()}, {"weights": {"a": math.inf}}, "must be a number above 0"),
    ],
)
def test_heads_of_no_use_are_refused(
    tasks: dict[str, Any], settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ManyHeadsError, match=said):
        mh.ManyHeads(tasks, **settings)


def learn(data: Dataset | Mapping[str, Dataset], model: Any = tiny.SCRATCH) -> None:
    task = mh.ManyHeads({"mood": mh.Classification(), "names": mh.Tagging()})
    mh.Learner(model, task, data, quiet=True)


def test_what_data_lack_is_said_with_the_head() -> None:
    moods, names = tiny.moods(8), tiny.names(4)
    with pytest.raises(DataError, match="do not say which head they are for"):
        learn(moods)
    with pytest.raises(DataError, match="the head 'names' has no data"):
        learn({"mood": moods})
    with pytest.raises(DataError, match=r"no head 'moods'\. Did you mean 'mood'"):
        learn({"moods": moods, "names": names})
    with pytest.raises(DataError, match="head 'mood': all 3 training examples have the label"):
        learn({"mood": tiny.table([("a b", "x")] * 3), "names": names})
    with pytest.raises(DataError, match="head 'names': mapping, row 1"):
        learn({"mood": moods, "names": moods})


def test_a_label_that_training_lacks_is_said_with_the_head_and_its_row() -> None:
    moods = mh.read(
        tiny.columns(tiny.mood_rows(8)), valid={"text": ["x", "y"], "label": ["good", "odd"]}
    )
    with pytest.raises(DataError, match=r"head 'mood': .*row 2 has the label 'odd'"):
        learn({"mood": moods, "names": tiny.names(4)})


def test_a_body_that_writes_is_refused() -> None:
    data = {"mood": tiny.moods(8), "names": tiny.names(4)}
    for model in (tiny.DECODER, tiny.SEQ2SEQ):
        with pytest.raises(ConfigError, match="writes; many heads need an encoder alone"):
            learn(data, model)


def test_a_metric_may_be_that_of_one_head() -> None:
    recipe = mh.Recipe(
        **{**many.RECIPE.to_json(), "metric": "score.mean_absolute_error", "epochs": 3}
    )
    one = many.learner(recipe=recipe)
    history = one.fit()
    values = history.values("score.mean_absolute_error")
    assert history.best(recipe.metric or "") == values.index(min(values))
    wrong = mh.Recipe(**{**many.RECIPE.to_json(), "metric": "score.accurcy"})
    with pytest.raises(RecipeError, match="unknown here"):
        many.learner(recipe=wrong).fit()


def test_a_head_of_pairs_is_known_from_its_data(learner: mh.Learner) -> None:
    assert learner.task.paired == ("answer",)
    assert learner.data.train.columns["pair"].count("") == len(learner.data.train) - len(
        questions.data(24, 6).train
    )
