"""A run that was broken off and resumed ends with the bits of one that was not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests import tiny
from tests.train.broken_off import assert_same, break_off

import manyheads as mh
from manyheads.errors import CheckpointError, RecipeError
from manyheads.hub import Pretrained
from manyheads.train.checkpoint import DamagedCheckpointWarning
from manyheads.train.early_stopping import EarlyStopping

# Everything that a checkpoint must hold has a part in these runs: dropout and word dropout draw
# random numbers, one-cycle moves the momentum, updates span batches, weights are averaged,
# validation keeps the best.
FULL = mh.Recipe(
    epochs=2.5,
    batch_size=4,
    accumulate=2,
    learning_rate=3e-3,
    schedule="one_cycle",
    dropout=0.1,
    token_dropout=0.15,
    average=0.6,
    checkpoint_every=1,
    early_stopping=EarlyStopping(patience=2),
    probe_examples=0,
)
STEPS = 10  # of a run under FULL: 4 updates an epoch


@pytest.fixture(scope="module")
def data() -> mh.Dataset:
    return tiny.moods(30, valid=tiny.columns(tiny.mood_rows(8, seed=5)))


@pytest.fixture(scope="module")
def body(data: mh.Dataset) -> Pretrained:
    return tiny.body(data)


def learner(
    body: Pretrained, data: mh.Dataset, folder: Path | None, recipe: mh.Recipe = FULL
) -> mh.Learner:
    return mh.Learner(body, mh.Classification(), data, recipe, folder=folder, quiet=True)


def changed(**settings: Any) -> mh.Recipe:
    return mh.Recipe(**{**FULL.to_json(), **settings})


@pytest.fixture(scope="module")
def undisturbed(body: Pretrained, data: mh.Dataset) -> mh.Learner:
    trained = learner(body, data, None)
    trained.fit()
    assert len(trained.history.steps) == STEPS
    return trained


@pytest.mark.parametrize("at", range(1, STEPS + 1))
def test_after_any_update(
    tmp_path: Path, body: Pretrained, data: mh.Dataset, undisturbed: mh.Learner, at: int
):
    break_off(learner(body, data, tmp_path), at=at)
    torch.rand(17)  # a new process has drawn other numbers
    resumed = learner(body, data, tmp_path)
    resumed.fit(resume=True)
    assert_same(resumed, undisturbed)


@pytest.mark.parametrize("during", [1, 2, 3])
def test_between_the_last_update_of_an_epoch_and_its_validation(
    tmp_path: Path, body: Pretrained, data: mh.Dataset, undisturbed: mh.Learner, during: int
):
    break_off(learner(body, data, tmp_path), during=during)
    resumed = learner(body, data, tmp_path)
    resumed.fit(resume=True)
    assert_same(resumed, undisturbed)


def test_again_and_again(
    tmp_path: Path, body: Pretrained, data: mh.Dataset, undisturbed: mh.Learner
):
    break_off(learner(body, data, tmp_path), at=3)
    break_off(learner(body, data, tmp_path), resume=True, at=6)
    break_off(learner(body, data, tmp_path), resume=True, during=1)
    resumed = learner(body, data, tmp_path)
    resumed.fit(resume=True)
    assert_same(resumed, undisturbed)


def test_from_a_checkpoint_that_lies_further_back(
    tmp_path: Path, body: Pretrained, data: mh.Dataset
):
    recipe = changed(checkpoint_every=3)
    undisturbed = learner(body, data, None, recipe)
    undisturbed.fit()
    break_off(learner(body, data, tmp_path, recipe), at=9)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] != []
    resumed = learner(body, data, tmp_path, recipe)
    resumed.fit(resume=True)
    assert_same(resumed, undisturbed)


def test_without_validation(tmp_path: Path, body: Pretrained):
    data = tiny.moods(30)
    undisturbed = learner(body, data, None)
    undisturbed.fit()
    for at in (4, 5, 10):
        break_off(learner(body, data, tmp_path), at=at)
        resumed = learner(body, data, tmp_path)
        resumed.fit(resume=True)
        assert_same(resumed, undisturbed)


def test_a_body_whose_head_was_probed_first(tmp_path: Path, body: Pretrained, data: mh.Dataset):
    recipe = changed(probe_examples=20)
    undisturbed = learner(body, data, None, recipe)
    undisturbed.fit()
    break_off(learner(body, data, tmp_path, recipe), at=6)
    resumed = learner(body, data, tmp_path, recipe)
    resumed.fit(resume=True)
    assert_same(resumed, undisturbed)


def test_an_early_stop_comes_at_the_same_epoch(tmp_path: Path, body: Pretrained, data: mh.Dataset):
    # No score rises by 1, so that the second validation ends the run.
    stopping = EarlyStopping(patience=1, minimum_improvement=1.0)
    recipe = changed(epochs=9, early_stopping=stopping)
    undisturbed = learner(body, data, None, recipe)
    undisturbed.fit()
    assert len(undisturbed.history.validations) == 2
    break_off(learner(body, data, tmp_path, recipe), during=2)
    resumed = learner(body, data, tmp_path, recipe)
    resumed.fit(resume=True)
    assert_same(resumed, undisturbed)


def test_the_best_weights_may_lie_before_the_stop(tmp_path: Path, body: Pretrained):
    # The more the model learns, the more it errs where good and bad are exchanged.
    exchanged = [
        (text, "bad" if label == "good" else "good") for text, label in tiny.mood_rows(8, seed=5)
    ]
    data = tiny.moods(30, valid=tiny.columns(exchanged))
    recipe = changed(metric="loss", early_stopping=None)
    undisturbed = learner(body, data, None, recipe)
    undisturbed.fit()
    assert undisturbed.history.best("loss") == 0
    break_off(learner(body, data, tmp_path, recipe), at=7)
    resumed = learner(body, data, tmp_path, recipe)
    resumed.fit(resume=True)
    assert_same(resumed, undisturbed)


def test_a_finished_run_is_not_trained_further(
    tmp_path: Path, body: Pretrained, data: mh.Dataset, undisturbed: mh.Learner
):
    learner(body, data, tmp_path).fit()
    again = learner(body, data, tmp_path)
    again.fit(resume=True)
    assert_same(again, undisturbed)


def test_without_a_checkpoint_the_run_begins(
    tmp_path: Path, body: Pretrained, data: mh.Dataset, undisturbed: mh.Learner
):
    fresh = learner(body, data, tmp_path / "none yet")
    fresh.fit(resume=True)
    assert_same(fresh, undisturbed)


def test_without_resume_the_run_begins_anew(
    tmp_path: Path, body: Pretrained, data: mh.Dataset, undisturbed: mh.Learner
):
    break_off(learner(body, data, tmp_path), at=6)
    fresh = learner(body, data, tmp_path)
    fresh.fit()
    assert_same(fresh, undisturbed)


def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(
    tmp_path: Path, body: Pretrained, data: mh.Dataset, undisturbed: mh.Learner
):
    break_off(learner(body, data, tmp_path), at=7)
    newest = max((tmp_path / "checkpoints").glob("*.safetensors"))
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    resumed = learner(body, data, tmp_path)
    with pytest.warns(DamagedCheckpointWarning, match=newest.name):
        resumed.fit(resume=True)
    assert_same(resumed, undisturbed)


def test_another_recipe_is_refused_and_the_difference_named(
    tmp_path: Path, body: Pretrained, data: mh.Dataset
):
    break_off(learner(body, data, tmp_path), at=3)
    before = sorted((tmp_path / "checkpoints").iterdir())
    with pytest.raises(RecipeError, match=r"another recipe \(learning_rate: 0\.003 → 0\.001\)"):
        learner(body, data, tmp_path, changed(learning_rate=1e-3)).fit(resume=True)
    assert sorted((tmp_path / "checkpoints").iterdir()) == before


def test_other_data_are_refused(tmp_path: Path, body: Pretrained, data: mh.Dataset):
    break_off(learner(body, data, tmp_path), at=3)
    other = tiny.moods(28, valid=tiny.columns(tiny.mood_rows(8, seed=5)))
    with pytest.raises(RecipeError, match="other data"):
        learner(body, other, tmp_path).fit(resume=True)


def test_another_model_is_refused(tmp_path: Path, body: Pretrained, data: mh.Dataset):
    break_off(learner(body, data, tmp_path), at=3)
    wider = mh.Scratch(layers=2, width=32, heads=2, tokenizer=tiny.SCRATCH.tokenizer)
    with pytest.raises(CheckpointError):
        learner(wider.build(data.train.columns["text"]), data, tmp_path).fit(resume=True)


def test_resuming_needs_a_folder(body: Pretrained, data: mh.Dataset):
    with pytest.raises(RecipeError, match="folder"):
        learner(body, data, None).fit(resume=True)


Kill = tuple[str, int]


def killed_before(home: Path, kills: list[Kill]) -> tuple[dict[str, int], list[str]]:
    """Run `killing.py`; return what a run does to files, and the checksums of final weights."""
    here = Path(__file__)
    path = os.pathsep.join((tiny.ENVIRONMENT["PYTHONPATH"], str(here.parents[2])))
    done = subprocess.run(
        [sys.executable, here.with_name("killing.py"), home, json.dumps(kills)],
        env={**tiny.ENVIRONMENT, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr
    operations, checksums = json.loads(done.stdout)
    return operations, checksums


def test_killed_while_it_writes_its_checkpoints(tmp_path: Path):
    """By SIGKILL: amid a file, before it has its name, amid a later file, before a deletion."""
    kills = [("write", 30), ("os.rename", 0), ("write", 230), ("os.remove", 4)]
    operations, (undisturbed, *resumed) = killed_before(tmp_path, kills)
    assert operations["open"] == operations["os.rename"] == 8
    assert resumed == [undisturbed] * len(kills)


@pytest.mark.slow
def test_killed_before_every_operation_but_the_writes_and_before_many_of_those(tmp_path: Path):
    operations, _ = killed_before(tmp_path / "counted", [])
    assert set(operations) == {"open", "write", "os.rename", "os.remove"}
    kills = [
        (kind, number)
        for kind, count in operations.items()
        for number in range(0, count, 11 if kind == "write" else 1)
    ]
    _, (undisturbed, *resumed) = killed_before(tmp_path / "killed", kills)
    assert resumed == [undisturbed] * len(kills)
