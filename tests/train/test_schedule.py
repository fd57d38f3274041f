from __future__ import annotations

import math
import warnings
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD, AdamW, lr_scheduler

from manyheads.errors import RecipeError
from manyheads.train.schedule import (
    SGDR,
    Constant,
    Cosine,
    InverseSquareRoot,
    Linear,
    OneCycle,
    Schedule,
    apply,
)

ALL = [Constant(), Linear(), Cosine(), OneCycle(), InverseSquareRoot(), SGDR()]


def rates(scheduler_of, steps: int) -> list[float]:
    """Return the factors that a scheduler of torch gives to a learning rate of 1."""
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    scheduler = scheduler_of(optimizer)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler.step()
    return found


def factors(schedule: Schedule, steps: int, total: int, warmup: int = 0) -> list[float]:
    return [schedule.factor(step, total, warmup) for step in range(steps)]


def test_linear_equals_torch():
    expected = rates(lambda o: lr_scheduler.LinearLR(o, 1.0, 0.25, total_iters=40), 50)
    assert factors(Linear(floor=0.25), 50, 40) == pytest.approx(expected)


def test_cosine_equals_torch():
    expected = rates(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=40, eta_min=0.1), 40)
    assert factors(Cosine(floor=0.1), 40, 40) == pytest.approx(expected)


@pytest.mark.parametrize("multiplier", [1, 2, 3])
def test_sgdr_equals_torch(multiplier: int):
    first, cycles = 7, 3
    total = first * sum(multiplier**cycle for cycle in range(cycles))
    expected = rates(
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, first, multiplier, eta_min=0.05),
        total,
    )
    schedule = SGDR(cycles=cycles, multiplier=multiplier, floor=0.05)
    assert factors(schedule, total, total) == pytest.approx(expected)


def test_one_cycle_equals_torch_in_rate_and_momentum():
    total, rise = 101, 29
    optimizer = AdamW([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=total, pct_start=(rise + 1) / total
    )
    schedule = OneCycle()
    for step in range(total):
        group = optimizer.param_groups[0]
        assert schedule.factor(step, total, rise) == pytest.approx(group["lr"], rel=1e-6)
        assert schedule.momentum(step, total, rise) == pytest.approx(group["betas"][0])
        optimizer.step()
        if step < total - 1:
            scheduler.step()


def test_inverse_square_root_is_the_paper_s_formula():
    width, warmup = 512, 4000  # "Attention Is All You Need", section 5.3

    def paper(n: int) -> float:
        return width**-0.5 * min(n**-0.5, n * warmup**-1.5)

    for n in (1, 10, 3999, 4000, 4001, 16000, 100_000):
        factor = InverseSquareRoot().factor(n - 1, 100_000, warmup - 1)
        assert factor == pytest.approx(paper(n) / paper(warmup))


@pytest.mark.parametrize("schedule", [Constant(), Linear(), Cosine(), SGDR(), InverseSquareRoot()])
def test_warmup_is_a_straight_line_to_the_peak(schedule: Schedule):
    assert factors(schedule, 5, 100, warmup=4) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


@given(
    schedule=st.sampled_from(ALL),
    total=st.integers(1, 400),
    share=st.floats(0, 1),
)
def test_every_factor_is_positive_at_most_one_and_peaks_after_the_warmup(
    schedule: Schedule, total: int, share: float
):
    warmup = round(share * total)
    found = factors(schedule, total, total, warmup)
    assert all(0 < factor <= 1 for factor in found)
    if warmup < total:
        assert found[warmup] == pytest.approx(1.0)
    assert all(math.isfinite(schedule.factor(total + late, total, warmup)) for late in range(3))


@given(cycles=st.integers(1, 5), multiplier=st.floats(1, 3), total=st.integers(60, 500))
def test_sgdr_restarts_once_less_than_it_has_cycles(cycles: int, multiplier: float, total: int):
    found = factors(SGDR(cycles, multiplier), total, total)
    restarts = sum(later > earlier for earlier, later in pairwise(found))
    shortest = total / sum(multiplier**cycle for cycle in range(cycles))
    if shortest >= 2:
        assert restarts == cycles - 1
    assert found[-1] < 0.5


def test_one_cycle_momentum_mirrors_the_rate():
    schedule = OneCycle()
    assert schedule.momentum(0, 100, 30) == pytest.approx(0.95)
    assert schedule.momentum(30, 100, 30) == pytest.approx(0.85)
    assert schedule.momentum(99, 100, 30) == pytest.approx(0.95)


def test_apply_scales_each_group_from_its_own_base():
    first, second = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = AdamW(
        [
            {"params": [first], "lr": 1.0, "base_lr": 1.0},
            {"params": [second], "lr": 0.1, "base_lr": 0.1},
        ]
    )
    apply(optimizer, 0.5)
    apply(optimizer, 0.5)  # from the base, not from where it was
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.5, 0.05])
    assert optimizer.param_groups[0]["betas"] == (0.9, 0.999)
    apply(optimizer, 1.0, momentum=0.85)
    assert [group["betas"] for group in optimizer.param_groups] == [(0.85, 0.999)] * 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Linear(floor=1.5), "floor=1.5"),
        (lambda: Cosine(floor=math.nan), "floor=nan"),
        (lambda: SGDR(cycles=0), "cycles=0"),
        (lambda: SGDR(multiplier=0.5), "multiplier=0.5"),
        (lambda: OneCycle(start_divisor=0.5), "start_divisor=0.5"),
        (lambda: OneCycle(low_momentum=0.99), "low_momentum=0.99"),
    ],
)
def test_settings_out_of_range_name_value_and_limit(make, message: str):
    with pytest.raises(RecipeError, match=message):
        make()
