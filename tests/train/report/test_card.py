from __future__ import annotations

from pathlib import Path

import pytest
from tests import tiny

import manyheads as mh
from manyheads.train.report.card import is_ours


@pytest.fixture(scope="module")
def learner() -> mh.Learner:
    data = tiny.moods(40, test=tiny.columns(tiny.mood_rows(20, seed=6)))
    recipe = mh.Recipe(batch_size=8, learning_rate=3e-3, epochs=2, max_tokens=8)
    one = mh.Learner(tiny.SCRATCH, mh.Classification(), data, recipe, quiet=True)
    one.fit()
    return one


def test_the_hub_reads_what_the_card_says(learner: mh.Learner, tmp_path: Path):
    from huggingface_hub import ModelCard

    path = learner.write_card(tmp_path)
    assert path is not None
    card = ModelCard(path.read_text(encoding="utf-8"))
    facts = card.data.to_dict()
    assert facts["library_name"] == "transformers"
    assert facts["pipeline_tag"] == "text-classification"
    assert facts["metrics"] == ["accuracy"] and "manyheads" in facts["tags"]
    (result,) = card.data.eval_results
    accuracy = learner.evaluate().scores.value("accuracy")
    assert result.metric_value == pytest.approx(accuracy, abs=1e-4)
    for words in ("mh.load", "pipeline(", "bag of words", "max_tokens", "were cut", "torch"):
        assert words in card.text


def test_a_card_is_replaced_until_somebody_edits_it(learner: mh.Learner, tmp_path: Path):
    path = learner.write_card(tmp_path)
    assert path is not None and is_ours(path)
    assert learner.write_card(tmp_path) == path
    text = path.read_text(encoding="utf-8").replace("# Classification", "# My classification")
    path.write_text(text, encoding="utf-8")
    assert learner.write_card(tmp_path) is None
    assert path.read_text(encoding="utf-8") == text


def test_a_card_stays_when_the_predictor_is_saved_again(learner: mh.Learner, tmp_path: Path):
    learner.predictor().save(tmp_path)
    path = learner.write_card(tmp_path)
    learner.predictor().save(tmp_path)
    assert path is not None and is_ours(path)
    assert mh.load(tmp_path)("lovely great superb").label in ("good", "bad")


def test_texts_in_han_are_said_to_be_chinese(tmp_path: Path):
    rows = [("这部电影很好看", "好"), ("这顿饭太难吃了", "差")] * 8
    one = mh.Learner(tiny.SCRATCH, mh.Classification(), tiny.table(rows), quiet=True)
    path = one.write_card(tmp_path)
    assert path is not None and "language: zh" in path.read_text(encoding="utf-8")
