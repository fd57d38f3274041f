from __future__ import annotations

import pytest
import torch
from torch import nn

from manyheads.train.average import EpochAverage, WeightAverage


def moved(model: nn.Linear, to: float) -> None:
    with torch.no_grad():
        model.weight.fill_(to)


@pytest.fixture
def model() -> nn.Linear:
    model = nn.Linear(2, 2)
    moved(model, 0.0)
    return model


def test_an_update_keeps_the_share_of_its_decay(model: nn.Linear):
    average = WeightAverage(model, 0.25)
    for step, at in enumerate((4.0, 8.0), start=100):
        moved(model, at)
        average.update(step)
    expected = 0.25 * (0.75 * 4.0) + 0.75 * 8.0
    torch.testing.assert_close(average.tensors()["weight"], torch.full((2, 2), expected))


def test_the_beginning_is_soon_forgotten(model: nn.Linear):
    average = WeightAverage(model, 0.999)
    moved(model, 1.0)
    for step in range(1, 30):
        average.update(step)
    assert average.tensors()["weight"].min() > 0.99


def test_in_place_lends_the_average_and_gives_the_weights_back(model: nn.Linear):
    average = WeightAverage(model, 0.999)
    moved(model, 5.0)
    with pytest.raises(KeyboardInterrupt), average.in_place():
        assert torch.equal(model.weight, torch.zeros(2, 2))
        raise KeyboardInterrupt
    assert torch.equal(model.weight, torch.full((2, 2), 5.0))
    assert torch.equal(average.tensors()["weight"], torch.zeros(2, 2))


def test_an_optimizer_goes_on_with_the_weights_after_in_place(model: nn.Linear):
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    average = WeightAverage(model, 0.5)
    with average.in_place():
        pass
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert torch.equal(model.weight, torch.full((2, 2), -1.0))


def test_what_is_frozen_is_not_averaged(model: nn.Linear):
    model.bias.requires_grad_(False)
    assert list(WeightAverage(model, 0.5).tensors()) == ["weight"]


def test_restored_as_it_was(model: nn.Linear):
    average = WeightAverage(model, 0.5)
    moved(model, 3.0)
    average.update(10)
    other = WeightAverage(nn.Linear(2, 2), 0.5)
    other.restore(average.tensors())
    assert torch.equal(other.tensors()["weight"], average.tensors()["weight"])


def test_the_ends_of_the_last_epochs_are_averaged(model: nn.Linear):
    average = EpochAverage(model, 2)
    for step, at in enumerate((3.0, 100.0, 5.0, 100.0, 8.0), start=1):
        moved(model, at)
        average.update(step, ends_epoch=step % 2 == 1)
    with average.in_place():
        assert torch.equal(model.weight, torch.full((2, 2), 6.5))
    restored = EpochAverage(model, 2)
    restored.restore(average.tensors())
    with restored.in_place():
        assert torch.equal(model.weight, torch.full((2, 2), 6.5))
    moved(model, 2.0)
    restored.update(6, ends_epoch=True)
    restored.keep()
    assert torch.equal(model.weight, torch.full((2, 2), 5.0))
