"""Scores keep as many digits as are worth reading."""

from __future__ import annotations

import math

import pytest

from manyheads.train.readable import readable


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (0.87654321, "0.8765"),
        (1.0, "1.0000"),
        (0.0, "0.0000"),
        (-0.25, "-0.2500"),
        (9999.5, "9999.5000"),
        (23456.789, "23,457"),
        (-23456.789, "-23,457"),
        (3.2e15, "3.200e+15"),
        (0.00001234, "1.234e-05"),
        (math.inf, "inf"),
        (math.nan, "–"),
    ],
)
def test_four_places_or_four_digits(score: float, text: str) -> None:
    assert readable(score) == text


def test_fewer_places() -> None:
    assert (readable(0.97654, 3), readable(1234.5, 3)) == ("0.977", "1,234")
