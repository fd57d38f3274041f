"""Runs of other tasks, broken off and resumed, end with the bits of those that were not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests import tiny
from tests.train.broken_off import assert_same, break_off

import manyheads as mh
from manyheads.errors import RecipeError

RECIPE = mh.Recipe(
    epochs=2.5,
    batch_size=None,
    batch_tokens=60,
    accumulate=2,
    learning_rate=3e-3,
    schedule="inverse_square_root",
    dropout=0.1,
    subword_dropout=0.2,
    average=0.6,
    checkpoint_every=1,
)


def learner(folder: Path | None, recipe: mh.Recipe = RECIPE, rows: int = 30) -> mh.Learner:
    data = tiny.translations(rows, valid=8)
    return mh.Learner(tiny.SEQ2SEQ, mh.Translation(), data, recipe, folder=folder, quiet=True)


def speaker(folder: Path | None) -> mh.Learner:
    """A language model, whose blocks begin elsewhere in every epoch."""
    recipe = mh.Recipe(**{**RECIPE.to_json(), "max_tokens": 30, "batch_tokens": 150})
    task, data = mh.LanguageModel(separator="\n"), tiny.lines(30, valid=4)
    return mh.Learner(tiny.DECODER, task, data, recipe, folder=folder, quiet=True)


def filler(folder: Path | None) -> mh.Learner:
    """A masked language model, which sees other masks each time."""
    recipe = mh.Recipe(**{**RECIPE.to_json(), "batch_tokens": 100})
    task, data = mh.MaskedLanguageModel(), tiny.lines(30, valid=4)
    return mh.Learner(tiny.SCRATCH, task, data, recipe, folder=folder, quiet=True)


def seeker(folder: Path | None) -> mh.Learner:
    """An embedding, whose chunks are computed twice, with dropout and tokens left out."""
    settings = {"batch_tokens": 200, "subword_dropout": 0.0, "token_dropout": 0.1}
    recipe = mh.Recipe(**{**RECIPE.to_json(), **settings})
    texts, pairs = zip(*tiny.digit_rows(38), strict=True)
    data = mh.read({"text": list(texts), "pair": list(pairs)}, pair="pair", valid=0.2)
    task = mh.Embedding(chunk_tokens=60)
    return mh.Learner(tiny.SCRATCH, task, data, recipe, folder=folder, quiet=True)


def tagger(folder: Path | None) -> mh.Learner:
    """A model that finds names, of whose tokens some are hidden."""
    recipe = mh.Recipe(**{**RECIPE.to_json(), "subword_dropout": 0.0, "token_dropout": 0.2})
    task, data = mh.Tagging(), tiny.names(30, valid=4)
    return mh.Learner(tiny.SCRATCH, task, data, recipe, folder=folder, quiet=True)


def heads(folder: Path | None) -> mh.Learner:
    """Two heads that take turns, the small one more often than it has rows."""
    recipe = mh.Recipe(**{**RECIPE.to_json(), "subword_dropout": 0.0, "token_dropout": 0.1})
    task = mh.ManyHeads({"mood": mh.Classification(), "names": mh.Tagging()}, temperature=3.0)
    data = {"mood": tiny.moods(40, valid=0.1), "names": tiny.names(8, valid=4)}
    return mh.Learner(tiny.SCRATCH, task, data, recipe, folder=folder, quiet=True)


RECIPES = {
    "moving average": RECIPE,
    "mean of epochs": mh.Recipe(**{**RECIPE.to_json(), "average": None, "average_last": 2}),
}


@pytest.fixture(scope="module", params=RECIPES)
def undisturbed(request: pytest.FixtureRequest) -> mh.Learner:
    trained = learner(None, RECIPES[request.param])
    trained.fit()
    return trained


@pytest.mark.parametrize("at", [1, 4, 5, 8])
def test_after_any_update(tmp_path: Path, undisturbed: mh.Learner, at: int):
    break_off(learner(tmp_path, undisturbed.recipe), at=at)
    torch.rand(17)  # a new process has drawn other numbers
    resumed = learner(tmp_path, undisturbed.recipe)
    resumed.fit(resume=True)
    assert_same(resumed, undisturbed)


@pytest.mark.parametrize("at", [1, 4])
@pytest.mark.parametrize("make", [speaker, filler, seeker, tagger, heads])
def test_other_tasks_after_any_update(
    tmp_path: Path, make: Callable[[Path | None], mh.Learner], at: int
):
    undisturbed = make(None)
    undisturbed.fit()
    break_off(make(tmp_path), at=at)
    torch.rand(17)
    resumed = make(tmp_path)
    resumed.fit(resume=True)
    assert_same(resumed, undisturbed)


def test_other_data_are_refused(tmp_path: Path):
    break_off(learner(tmp_path), at=3)
    other = tiny.translations(30, valid=8)
    other.train.columns["target"][3] += " nine"
    changed = mh.Learner(tiny.SEQ2SEQ, mh.Translation(), other, RECIPE, folder=tmp_path, quiet=True)
    with pytest.raises(RecipeError, match="other data"):
        changed.fit(resume=True)


def test_other_shares_of_heads_are_refused(tmp_path: Path):
    break_off(heads(tmp_path), at=3)
    changed = heads(tmp_path)
    changed.task = replace(changed.task, weights={"mood": 9.0})
    with pytest.raises(RecipeError, match="other data"):
        changed.fit(resume=True)
