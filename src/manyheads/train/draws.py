"""Some of many samples, drawn by a seed."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any


def drawn(samples: Sequence[Any], count: int, seed: str) -> list[Any]:
    """Return at most `count` of the samples, in their order; all where there are no more."""
    numbers = Random(seed).sample(range(len(samples)), min(count, len(samples)))
    return [samples[number] for number in sorted(numbers)]
