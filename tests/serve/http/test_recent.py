"""The last minute: what is in it, what has left it, and how long things took."""

from __future__ import annotations

import random

import numpy as np
import pytest

from manyheads.serve.http.recent import SECONDS, Asked, Minute, Worked, quantile, rate


class Clock:
    """A clock that stands until it is set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_minute_is_its_last_sixty_whole_seconds() -> None:
    clock = Clock()
    minute = Minute(Worked, clock)
    assert [one.items for one in minute.whole()] == [0] * SECONDS
    for second in range(200):
        clock.now = 1000.0 + second
        minute.now.add(items=second, tokens=10 * second)
        clock.now += 0.9
        minute.now.add(items=1, tokens=0)
    assert [one.items for one in minute.whole()] == [second + 1 for second in range(139, 199)]
    assert [one.batches for one in minute.whole()] == [2] * SECONDS
    clock.now += 31  # thirty whole seconds without a batch
    assert [one.tokens for one in minute.whole()][29:31] == [1990, 0]
    clock.now += 1e6
    assert sum(one.items for one in minute.whole()) == 0


def test_a_rate_is_that_of_the_last_seconds() -> None:
    assert rate([*[0] * 55, 10, 10, 20, 20, 40]) == 20
    assert rate([1000] * 55 + [0] * 5) == 0


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99, 1.0])
def test_quantiles_are_those_of_the_numbers_at_most_5_percent_longer(share: float) -> None:
    draw = random.Random(7)
    seconds = [draw.lognormvariate(-4, 1.5) for _ in range(5000)]
    asked = Asked()
    for one in seconds:
        asked.add(one)
    exact = float(np.quantile(seconds, share, method="inverted_cdf"))
    found = quantile(asked.durations, share)
    assert found is not None and exact <= found * (1 + 1e-9) and found <= 1.05 * exact
    assert asked.requests == 5000


def test_durations_that_a_clock_cannot_tell_from_none() -> None:
    asked = Asked()
    assert quantile(asked.durations, 0.5) is None
    asked.add(0.0)
    assert quantile(asked.durations, 0.99) == pytest.approx(1e-6, rel=0.05)
