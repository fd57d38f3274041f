"""What a run will take is told before it begins, and changes no bit of it."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from tests import tiny
from tests.train.broken_off import assert_same

import manyheads as mh
from manyheads.train.estimate import operations
from manyheads.train.pace import Pace, spoken
from manyheads.train.progress import Reporter
from manyheads.train.settings import Activations

RECIPE = mh.Recipe(
    batch_size=8,
    learning_rate=3e-3,
    epochs=2,
    dropout=0.1,
    token_dropout=0.1,
    accumulate=2,
    probe_examples=0,
)


def learner(recipe: mh.Recipe = RECIPE, quiet: bool = True) -> mh.Learner:
    data = tiny.moods(48, valid=tiny.columns(tiny.mood_rows(12, seed=5)))
    return mh.Learner(tiny.SCRATCH, mh.Classification(), data, recipe, quiet=quiet)


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.random()), float(torch.rand(()))


def test_a_run_is_the_same_with_and_without():
    alone, estimated = learner(), learner()
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    found = estimated.estimate()
    drawn = draws()
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])
    assert drawn == draws()
    assert all(one.grad is None for one in estimated.model.parameters())
    for one in (alone, estimated):
        one.fit()
    assert_same(alone, estimated)
    assert found.updates == len(estimated.history.steps) == 6
    assert found.tokens_per_epoch == sum(one.tokens for one in estimated.examples["train"])
    assert found.seconds > found.validation_seconds > 0


def test_a_run_that_says_it_is_the_same_too(capsys: pytest.CaptureFixture[str]):
    long = mh.Recipe(**{**dict(RECIPE), "batch_size": 1, "accumulate": 1, "epochs": 1.1})
    silent, speaking = learner(long), learner(long, quiet=False)
    for one in (silent, speaking):
        one.fit()
    assert_same(silent, speaking)
    said = capsys.readouterr().err
    assert "on this machine: 53 updates" in said
    assert "tokens/s" in said and "floating-point operations" in said


def test_operations_are_those_of_the_formula():
    one = learner()
    transformer = one.model.transformer
    names = dict(one.model.named_parameters())
    weights = sum(w.numel() for n, w in names.items() if w.dim() == 2 and "embed.tokens" not in n)
    assert transformer.spec.width == 32
    found = operations(one.model, [10, 20], Activations.KEEP)
    assert found == 6 * weights * 30 + 12 * 1 * 32 * (10**2 + 20**2)
    again = operations(one.model, [10, 20], Activations.RECOMPUTE)
    assert again == found + 2 * weights * 30 + 4 * 32 * 500
    for name, parameter in names.items():
        parameter.requires_grad = name.startswith("head.out")
    few = names["head.out.weight"].numel()
    assert operations(one.model, [10], Activations.KEEP) == (4 * weights + 2 * few) * 10 + 38400


def test_the_time_left_counts_validations(monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    pace = Pace(updates=10, validations=2, validation=7.0)
    pace.begin(done=2, validated=0)
    for _ in range(3):
        now[0] += 2.0
        pace.end_update()
    assert pace.left == pytest.approx(5 * 2.0 + 2 * 7.0)
    now[0] += 30.0
    pace.end_validation()
    assert pace.left == pytest.approx(5 * 2.0 + 30.0)


def test_time_as_people_say_it():
    said = [spoken(seconds) for seconds in (0.2, 40, 99, 840, 11100)]
    assert said == ["1 s", "40 s", "99 s", "14 min", "3 h 5 min"]


def test_the_bar_shows_speed_and_time_left(tmp_path: Path):
    with (tmp_path / "shown").open("w+") as file:
        console = Console(file=file, force_terminal=True, width=100)
        one = learner()
        one.reporter = Reporter(console=console)
        one.fit()
        file.seek(0)
        shown = file.read()
    assert "tok/s" in shown and "s left" in shown
