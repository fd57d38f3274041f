"""What a predictor says of a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """A prediction, and how many tokens of its text the model did not see."""

    prediction: Any
    truncated: int
