"""Who tracks a run is told all of it, in order; one that fails changes nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests import tiny
from tests.train.broken_off import assert_same, break_off

import manyheads as mh
from manyheads.train.history import History, Validation
from manyheads.train.loop import Step
from manyheads.train.trackers.tracker import Outcome, RunFacts, TrackerWarning

RECIPE = mh.Recipe(batch_size=8, learning_rate=3e-3, epochs=2, probe_examples=0, checkpoint_every=2)


@dataclass
class Notebook:
    """A tracker that writes everything down, and fails from some word on."""

    fails_at: str = ""
    said: list[Any] = field(default_factory=list)

    def note(self, *words: Any) -> None:
        if words[0] == self.fails_at:
            raise OSError("the disk\nis full")
        self.said.append(words if len(words) > 1 else words[0])

    def begin(self, facts: RunFacts, done: History) -> None:
        self.facts = facts
        self.note("begin", len(done.steps))

    def step(self, step: Step) -> None:
        self.note("step", step.number)

    def validation(self, validation: Validation) -> None:
        self.note("validation", validation.step)

    def end(self, outcome: Outcome) -> None:
        self.note("end", outcome)

    def evaluation(self, split: str, scores: Mapping[str, float]) -> None:
        self.note("evaluation", split, scores["accuracy"])


@pytest.fixture(scope="module")
def data() -> mh.Dataset:
    few = tiny.columns(tiny.mood_rows(8, seed=5))
    return tiny.moods(16, valid=few, test=tiny.columns(tiny.mood_rows(8, seed=6)))


def learner(data: mh.Dataset, *trackers: Notebook, folder: Path | None = None) -> mh.Learner:
    task = mh.Classification()
    return mh.Learner(
        tiny.SCRATCH, task, data, RECIPE, quiet=True, trackers=trackers, folder=folder
    )


def test_a_run_is_told_in_order(data: mh.Dataset):
    one = learner(data, notebook := Notebook())
    one.fit()
    accuracy = one.evaluate().scores.value("accuracy")
    assert notebook.said == [
        ("begin", 0),
        *(("step", 1), ("step", 2), ("validation", 2)),
        *(("step", 3), ("step", 4), ("validation", 4)),
        ("end", Outcome.FINISHED),
        ("evaluation", "test", accuracy),
    ]
    assert notebook.facts.recipe == RECIPE.to_json()
    assert notebook.facts.rows == {"train": 16, "valid": 8, "test": 8}
    assert notebook.facts.task == "classification" and notebook.facts.model["layers"] == 1


@pytest.mark.parametrize("word", ["begin", "step", "validation", "end", "evaluation"])
def test_one_that_fails_is_left_out_and_changes_nothing(data: mh.Dataset, word: str):
    alone = learner(data)
    alone.fit()
    failing, other = Notebook(word), Notebook()
    one = learner(data, failing, other)
    with pytest.warns(
        TrackerWarning, match=r"Notebook failed .* no more: the disk is full"
    ) as said:
        one.fit()
        one.evaluate()
    assert len(said) == 1
    assert_same(one, alone)
    assert len(other.said) == 9 and len(failing.said) < 9


def test_how_a_run_ended(data: mh.Dataset, tmp_path: Path):
    one = learner(data, notebook := Notebook(), folder=tmp_path)
    break_off(one, at=3)
    assert notebook.said[-1] == ("end", Outcome.FAILED)
    again = learner(data, later := Notebook(), folder=tmp_path)
    again.fit(resume=True)
    assert later.said[:2] == [("begin", 2), ("validation", 2)]

    class Impatient(Notebook):
        def step(self, step: Step) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learner(data, impatient := Impatient()).fit()
    assert impatient.said[-1] == ("end", Outcome.INTERRUPTED)
