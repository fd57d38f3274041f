from __future__ import annotations

import json

import pytest
from tests import tiny

import manyheads as mh
from manyheads.errors import DataError
from manyheads.train import Analysis

STRANGE = "[/red] 好吃的 <b>"


@pytest.fixture(scope="module")
def learner() -> mh.Learner:
    """One that is asked for 40 rows like those it learnt and 12 that say the opposite."""
    wrong = [
        (f"{STRANGE} {text}", "good" if label == "bad" else "bad")
        for text, label in tiny.mood_rows(12, seed=7)
    ]
    test = tiny.columns([*tiny.mood_rows(40, seed=6), *wrong])
    recipe = mh.Recipe(batch_size=8, learning_rate=3e-3, epochs=8)
    one = mh.Learner(
        tiny.SCRATCH, mh.Classification(), tiny.moods(60, test=test), recipe, quiet=True
    )
    one.fit()
    return one


@pytest.fixture(scope="module")
def analysis(learner: mh.Learner) -> Analysis:
    return learner.analyse(columns={"kind": ["usual"] * 40 + ["opposite"] * 12})


def test_the_slice_that_is_wrong_comes_first(analysis: Analysis, learner: mh.Learner):
    assert analysis.score == pytest.approx(learner.evaluate().scores.value("accuracy"))
    worst = [one for one in analysis.slices if one.is_worse]
    assert ("kind", "opposite") in {(one.kind, one.value) for one in worst}
    assert list(analysis.slices[: len(worst)]) == worst
    opposite = next(one for one in analysis.slices if one.value == "opposite")
    assert opposite.rows == 12 and opposite.score < 0.2 < opposite.interval.high
    assert {one.kind for one in analysis.slices} == {"kind", "class", "characters"}


def test_confusions_have_their_hardest_examples(analysis: Analysis):
    assert {(one.expected, one.predicted) for one in analysis.confusions} == {
        ("good", "bad"),
        ("bad", "good"),
    }
    for one in analysis.confusions:
        losses = [row.loss for row in one.examples]
        assert losses == sorted(losses, reverse=True) and len(losses) == 3
        assert all(row.label == one.expected for row in one.examples)
        assert all(str(row.prediction) == one.predicted for row in one.examples)
    wrong = sum(one.count for one in analysis.confusions)
    assert wrong == round(52 * (1 - analysis.score))


def test_it_prints_what_is_there_and_is_json(analysis: Analysis):
    shown = str(analysis)
    assert "[/red] 好吃的 <b>" in shown and "opposite" in shown
    assert all(len(line) <= 96 for line in shown.splitlines())
    document = json.loads(json.dumps(analysis.to_json(), allow_nan=False))
    assert document["hardest"][0]["text"].startswith(STRANGE)
    assert document["confusions"][0]["examples"][0]["prediction"] in ("good", "bad")


def test_numbers_are_not_confused_and_their_slices_have_losses():
    rows = [(text, 3.5 if label == "good" else 1.5) for text, label in tiny.mood_rows(24)]
    data = tiny.table(rows, test=tiny.columns(rows))
    one = mh.Learner(tiny.SCRATCH, mh.Regression(), data, mh.Recipe(epochs=1), quiet=True)
    found = one.analyse()
    assert (found.metric, found.higher_is_better, found.confusions) == ("mean loss", False, ())
    assert found.score == pytest.approx(one.evaluate().loss, rel=1e-4)
    assert {one.kind for one in found.slices} == {"characters"}
    scores = [one.score for one in found.slices]
    assert scores == sorted(scores, reverse=True)


def test_streams_are_analysed_by_their_parts():
    data = tiny.lines(30, valid=20)
    one = mh.Learner(tiny.DECODER, mh.LanguageModel(), data, mh.Recipe(max_tokens=32), quiet=True)
    found = one.analyse()
    assert found.metric == "mean loss" and found.parts == found.examined > 1
    assert "mean loss" in str(found)


def test_columns_that_are_not_there_are_named(learner: mh.Learner):
    with pytest.raises(DataError, match="'origin' was not kept of the mapping"):
        learner.analyse(columns=["origin"])
    with pytest.raises(DataError, match="3 values for the 52 rows"):
        learner.analyse(columns={"origin": [1, 2, 3]})
