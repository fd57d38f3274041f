from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.errors import RecipeError, TrainingError
from manyheads.train.rates.lr_finder import LearningRates, RangeTest, suggest


def rates_of(count: int) -> list[float]:
    return [1e-7 * 1e6 ** (step / (count - 1)) for step in range(count)]


def test_the_suggestion_is_a_tenth_of_the_rate_of_the_lowest_loss_to_one_digit():
    rates = rates_of(100)
    losses = [abs(math.log10(rate) - math.log10(3.7e-3)) for rate in rates]
    suggestion = suggest(rates, losses)
    assert suggestion == pytest.approx(3e-4, rel=0.35)
    assert f"{suggestion:.0e}" == f"{suggestion:e}".replace(".000000", "")


def test_a_loss_that_never_falls_is_no_suggestion():
    with pytest.raises(TrainingError, match="never fell"):
        suggest(rates_of(50), [1.0 + step for step in range(50)])


def test_a_test_that_ended_at_once_is_no_suggestion():
    with pytest.raises(TrainingError, match="after 5 steps"):
        suggest(rates_of(5), [1.0] * 5)


@pytest.fixture(scope="module")
def learner() -> mh.Learner:
    data = tiny.moods(48, valid=tiny.columns(tiny.mood_rows(12, seed=5)))
    recipe = mh.Recipe(batch_size=8, learning_rate=3e-3, epochs=2, probe_examples=0)
    return mh.Learner(tiny.SCRATCH, mh.Classification(), data, recipe, quiet=True)


def test_a_range_test_leaves_no_trace(learner: mh.Learner):
    before = {name: tensor.clone() for name, tensor in learner.model.state_dict().items()}
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    found = learner.find_lr(RangeTest(60))
    assert torch.equal(torch.rand(3), expected)
    after = learner.model.state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in after.items())
    assert all(parameter.grad is None for parameter in learner.model.parameters())
    assert 1e-5 < found.suggestion < 2e-2
    assert learner.find_lr(RangeTest(60)) == found


def test_training_after_a_range_test_is_as_without(learner: mh.Learner):
    plain = mh.Learner(tiny.SCRATCH, mh.Classification(), learner.data, learner.recipe, quiet=True)
    plain.fit(epochs=1)
    searched = mh.Learner(
        tiny.SCRATCH, mh.Classification(), learner.data, learner.recipe, quiet=True
    )
    searched.find_lr(RangeTest(40))
    searched.fit(epochs=1)
    theirs = searched.model.state_dict()
    assert all(torch.equal(t, theirs[n]) for n, t in plain.model.state_dict().items())


def test_the_rates_grow_by_a_constant_factor(learner: mh.Learner):
    found = learner.find_lr(RangeTest(40))
    assert found.rates[0] == pytest.approx(1e-7)
    ratios = [b / a for a, b in zip(found.rates, found.rates[1:], strict=False)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))
    assert len(found.rates) == len(found.losses) == len(found.smoothed) <= 40


def test_too_few_steps_are_refused():
    with pytest.raises(RecipeError, match="steps=10"):
        RangeTest(10)


def test_the_curve_is_told_and_drawn(tmp_path: Path):
    found = LearningRates((1e-4, 1e-3), (1.0, 0.5), (1.0, 0.7), 1e-4)
    assert "1.0e-04" in str(found)
    assert found.to_json() == {
        "suggestion": 1e-4,
        "rates": [1e-4, 1e-3],
        "losses": [1.0, 0.5],
    }
    assert found.draw(tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")
