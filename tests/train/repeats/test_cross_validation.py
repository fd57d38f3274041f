"""One recipe several times: by folds and by seeds, resumed, and together."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tests import tiny

import manyheads as mh
from manyheads.errors import DataError, RecipeError
from manyheads.train import Trials
from manyheads.train.repeats.trials import Mean

QUICK = mh.Recipe(batch_size=8, learning_rate=3e-3, epochs=2, probe_examples=0, seed=4)


@pytest.fixture(scope="module")
def data() -> mh.Dataset:
    return tiny.moods(36, valid=0.25, test=tiny.columns(tiny.mood_rows(12, seed=6)))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("folds")


@pytest.fixture(scope="module")
def folds(data: mh.Dataset, home: Path) -> Trials:
    return crossed(data, home)


def crossed(data: mh.Dataset, folder: Path | None, **changes: Any) -> Trials:
    task = mh.Classification(class_weights={"good": 2.0})
    usual = {"model": tiny.SCRATCH, "task": task, "recipe": QUICK, "folds": 3, "quiet": True}
    return mh.cross_validate(data=data, folder=folder, **{**usual, **changes})


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_every_row_is_judged_by_a_model_that_has_not_seen_it(folds: Trials, home: Path):
    assert [record["row"] for record in folds.out_of_fold] == list(range(1, 37))
    assert [trial.name for trial in folds.trials] == ["fold-1", "fold-2", "fold-3"]
    for trial in folds.trials:
        said = [record for record in folds.out_of_fold if record["fold"] == trial.name]
        right = [record["prediction"] == record["label"] for record in said]
        assert len(right) == 12
        assert trial.fold is not None and np.isclose(np.mean(right), trial.fold["accuracy"])
        one = mh.load(home / trial.name)
        probabilities = one.probabilities([record["text"] for record in said])
        assert np.allclose(
            probabilities,
            [[record["probabilities"][name] for name in one.labels] for record in said],
            atol=1e-6,
        )
    lines = (home / "out-of-fold.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == list(folds.out_of_fold)


def test_means_have_students_interval(folds: Trials):
    values = folds.scores["accuracy"]
    found = folds.mean()
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert np.allclose([found.mean, found.low, found.high], [np.mean(values), low, high])
    assert Mean.of([0.5, 0.7]).deviation == pytest.approx(np.std([0.5, 0.7], ddof=1))
    document = folds.to_json()
    assert document["mean"]["accuracy"]["low"] == pytest.approx(low)
    assert document["runs"][1]["fold"]["accuracy"] == values[1]


def test_the_ensemble_is_judged_beside_its_parts(folds: Trials, home: Path, data: mh.Dataset):
    assert data.test is not None and folds.ensemble_scores is not None
    opened = mh.load(home)
    texts = data.test.columns["text"]
    parts = [mh.load(home / trial.name).probabilities(texts) for trial in folds.trials]
    assert np.allclose(opened.probabilities(texts), np.mean(parts, axis=0), atol=1e-6)
    pairs = zip(opened(texts), data.test.columns["label"], strict=True)
    right = [one.label == label for one, label in pairs]
    assert folds.ensemble_scores["accuracy"] == np.mean(right)
    shown = str(folds)
    assert "ensemble" in shown and "± (95%, t)" in shown and "test: 12 rows" in shown


def test_a_fold_that_is_over_stays_and_one_that_is_not_is_trained(
    folds: Trials, data: mh.Dataset, home: Path, tmp_path: Path
):
    again = tmp_path / "again"
    shutil.copytree(home, again)
    (again / "fold-2/run/trial.json").unlink()
    (again / "manyheads.json").unlink()
    (again / "fold-1/model.safetensors").touch()
    before = (again / "fold-1/model.safetensors").stat().st_mtime_ns
    resumed = crossed(data, again, resume=True)
    assert (again / "fold-1/model.safetensors").stat().st_mtime_ns == before
    assert resumed.to_json() == folds.to_json()
    assert weights(again / "fold-2") == weights(home / "fold-2")
    begun = crossed(data, again, folds=2)
    assert len(begun.trials) == 2 and not (again / "fold-3").exists()


def test_a_fold_that_was_trained_otherwise_is_not_one_of_these(
    folds: Trials, data: mh.Dataset, home: Path
):
    assert folds.trials and data.test is not None
    other = mh.Scratch(layers=2, width=32, heads=2)
    shorter = replace(data, test=data.test.take(range(3)))
    for what, given in {
        "task": {"task": mh.Classification()},
        "model": {"model": other},
        "cleaning": {"cleaning": mh.Cleaning(html=True)},
        "common split": {"data": shorter},
        "model and another cleaning": {"model": other, "cleaning": mh.Cleaning(html=True)},
    }.items():
        with pytest.raises(RecipeError, match=f"fold-1 was trained with another {what};"):
            crossed(**{"data": data, "folder": home, "resume": True, **given})


def test_seeds_share_their_rows_and_differ_in_their_weights(data: mh.Dataset, tmp_path: Path):
    found = mh.repeat_seeds(
        tiny.SCRATCH, mh.Classification(), data, QUICK, seeds=2, folder=tmp_path, quiet=True
    )
    assert [trial.name for trial in found.trials] == ["seed-4", "seed-5"]
    assert weights(tmp_path / "seed-4") != weights(tmp_path / "seed-5")
    assert found.trials[0].fold is None and found.out_of_fold == ()
    assert found.ensemble is not None and found.ensemble_scores is not None
    learner = mh.Learner(tiny.SCRATCH, mh.Classification(), data, QUICK, quiet=True)
    learner.fit()
    assert found.scores["accuracy"][0] == learner.evaluate().scores.value("accuracy")


def test_tags_and_numbers_and_what_has_no_mean(tmp_path: Path):
    recipe = mh.Recipe(**{**dict(QUICK), "epochs": 1})
    tagged = mh.cross_validate(
        tiny.SCRATCH, mh.Tagging(), tiny.names(20), recipe, folds=2, quiet=True
    )
    assert len(tagged.out_of_fold) == 20 and tagged.ensemble is not None
    assert isinstance(tagged.ensemble, mh.Tagger) and tagged.ensemble_scores is None
    rows = [(text, 2.5 if label == "good" else -1.0) for text, label in tiny.mood_rows(20)]
    valued = mh.cross_validate(
        tiny.SCRATCH, mh.Regression(), tiny.table(rows), recipe, folds=2, quiet=True
    )
    said = [record["prediction"] for record in valued.out_of_fold]
    assert all(isinstance(value, float) for value in said) and len(said) == 20
    written = mh.cross_validate(
        tiny.SEQ2SEQ, mh.Translation(), tiny.translations(8), recipe, folds=2, quiet=True
    )
    assert written.ensemble is None and written.out_of_fold == ()
    assert "translation say has no mean" in str(written)
    assert len(written.scores["loss"]) == 2


def test_what_cannot_be_done_is_refused(data: mh.Dataset):
    with pytest.raises(DataError, match="folds=1"):
        crossed(data, None, folds=1)
    with pytest.raises(DataError, match="choose at most 18"):
        crossed(data, None, folds=19)
    with pytest.raises(RecipeError, match="nothing to resume"):
        crossed(data, None, resume=True)
    with pytest.raises(RecipeError, match="seeds=1"):
        mh.repeat_seeds(tiny.SCRATCH, mh.Classification(), data, QUICK, seeds=1)
    with pytest.raises(DataError, match="no test or validation split"):
        mh.repeat_seeds(tiny.SCRATCH, mh.Classification(), tiny.moods(8), QUICK)
