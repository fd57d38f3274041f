"""Texts in the target language become training pairs."""

from __future__ import annotations

import pytest
from tests import tiny

import manyheads as mh
from manyheads.errors import DataError
from manyheads.train.back_translation import back_translated

TEXTS = ["one two", "two one", "three"]


def test_pairs_are_added_to_training_alone() -> None:
    data = tiny.translations(12, valid=4)
    more = back_translated(data, lambda texts: [text.upper() for text in texts], TEXTS, "<b> ")
    assert len(more.train) == len(data.train) + 3
    assert more.train.columns["text"][-3:] == ["<b> ONE TWO", "<b> TWO ONE", "<b> THREE"]
    assert more.train.columns["target"][-3:] == TEXTS
    assert more.valid == data.valid and "3 texts were translated back" in more.summary()
    assert "what was translated back" in more.train.describe(len(data.train))


def test_what_was_not_translated_is_left_out_and_counted() -> None:
    data = tiny.translations(12)
    more = back_translated(data, lambda texts: ["x", " ", "y"], TEXTS)
    assert more.train.columns["target"][-2:] == ["one two", "three"]
    assert more.notes[-1] == (
        "2 texts were translated back, 1 left out because nothing was written for them"
    )


def test_a_model_trained_the_other_way_round_translates_back() -> None:
    data = tiny.translations(12, valid=4)
    recipe = mh.Recipe(epochs=1, batch_size=8)
    reverse = mh.Learner(tiny.SEQ2SEQ, mh.Translation(), data, recipe, quiet=True)
    reverse.fit()
    more = back_translated(data, reverse.predictor(), ["1 2", "2 3"])
    learner = mh.Learner(tiny.SEQ2SEQ, mh.Translation(search=None), more, recipe, quiet=True)
    assert len(learner.fit().steps) == -(-len(more.train) // 8)


@pytest.mark.parametrize(
    ("texts", "message"), [([], "no texts"), (["a", " "], "text 1 to translate back is empty")]
)
def test_nothing_to_translate_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        back_translated(tiny.translations(12), lambda some: some, texts)


def test_data_without_targets_are_refused() -> None:
    with pytest.raises(DataError, match="has no targets"):
        back_translated(tiny.moods(8), lambda some: some, TEXTS)
