from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from manyheads.errors import CheckpointError
from manyheads.train.checkpoint import CheckpointStore
from manyheads.train.optim import build_optimizer
from manyheads.train.recipe import Recipe
from manyheads.train.schedule import OneCycle, apply
from manyheads.train.state import TrainingState

TOTAL = 12


class Run:
    """A small run that uses every kind of state: moments, dropout, three random generators."""

    def __init__(self, seed: int = 1, width: int = 16, recipe: Recipe | None = None) -> None:
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        self.model = nn.Sequential(
            nn.Linear(8, width),
            nn.LayerNorm(width),
            nn.BatchNorm1d(width),  # has buffers
            nn.Dropout(0.3),
            nn.Linear(width, 3),
        )
        self.optimizer = build_optimizer(self.model, recipe or Recipe(learning_rate=0.01))
        self.schedule = OneCycle()

    def train(self, first: int, last: int) -> None:
        for step in range(first, last):
            apply(
                self.optimizer,
                self.schedule.factor(step, TOTAL, 4),
                self.schedule.momentum(step, TOTAL, 4),
            )
            inputs = torch.randn(10, 8) * random.random() + float(np.random.normal())
            loss = cross_entropy(self.model(inputs), torch.randint(0, 3, (10,)))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def capture(self, step: int) -> TrainingState:
        return TrainingState.capture(step, self.model, self.optimizer, {"epoch": 1})


def assert_same_bits(one: Run, other: Run) -> None:
    first, second = one.capture(0), other.capture(0)
    assert first.facts == second.facts
    assert first.tensors.keys() == second.tensors.keys()
    for name, tensor in first.tensors.items():
        assert torch.equal(tensor, second.tensors[name]), name


@pytest.mark.parametrize("stop", [0, 1, 5, 11])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path: Path, stop: int):
    undisturbed = Run()
    undisturbed.train(0, stop)
    CheckpointStore(tmp_path).save(undisturbed.capture(stop))
    undisturbed.train(stop, TOTAL)
    expected = undisturbed.capture(TOTAL)
    after = (torch.rand(1), random.random(), np.random.rand())

    resumed = Run(seed=99)
    resumed.train(0, 3)  # whatever it did before is forgotten
    state = CheckpointStore(tmp_path).latest()
    assert state is not None
    assert state.facts["epoch"] == 1
    state.restore(resumed.model, resumed.optimizer)
    resumed.train(state.step, TOTAL)
    found = resumed.capture(TOTAL)
    assert found.facts == expected.facts
    for name, tensor in expected.tensors.items():
        assert torch.equal(found.tensors[name], tensor), name
    assert (torch.rand(1), random.random(), np.random.rand()) == after


def test_training_on_does_not_change_the_state_it_came_from(tmp_path: Path):
    run = Run()
    run.train(0, 4)
    store = CheckpointStore(tmp_path)
    store.save(run.capture(4))
    state = store.latest()
    assert state is not None
    before = {name: tensor.clone() for name, tensor in state.tensors.items()}
    state.restore(run.model, run.optimizer)
    run.train(4, 8)
    for name, tensor in before.items():
        assert torch.equal(state.tensors[name], tensor), name


def test_another_model_is_refused_with_all_misfits():
    state = Run().capture(0)
    other = Run(width=20)
    with pytest.raises(CheckpointError) as caught:
        state.restore(other.model, other.optimizer)
    assert "0.weight has shape (16, 8) instead of (20, 8)" in str(caught.value)
    assert "4.weight has shape (3, 16) instead of (3, 20)" in str(caught.value)


def test_missing_and_unknown_weights_are_named():
    state = Run().capture(0)
    state.tensors["model.9.weight"] = state.tensors.pop("model.0.bias")
    run = Run()
    with pytest.raises(CheckpointError, match=r"0\.bias is missing; 9\.weight is unknown"):
        state.restore(run.model, run.optimizer)


def test_other_trained_parameters_are_refused():
    run = Run()
    run.train(0, 2)
    state = run.capture(2)
    frozen = Run(recipe=Recipe(freeze=("0",)))
    with pytest.raises(CheckpointError, match="trains other parameters"):
        state.restore(frozen.model, frozen.optimizer)


def test_the_loss_scaler_travels_too():
    run = Run()
    scaler = torch.amp.GradScaler("cpu", init_scale=512.0)
    state = TrainingState.capture(0, run.model, run.optimizer, {}, scaler)
    fresh = torch.amp.GradScaler("cpu")
    state.restore(run.model, run.optimizer, fresh)
    assert fresh.get_scale() == 512.0
