"""What a generator answers."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from torch import Tensor

from manyheads.generate import Finish


@dataclass(frozen=True)
class Written:
    """What was written for a text.

    Attributes:
        text: The output, up to a string that stops it.
        tokens: Its tokens, with the one that ended it.
        log_probs: The log-probability of each of them under the model.
        score: What outputs of one text are ranked by.
        finish: Why it ended.
        truncated: How many tokens of the text the model did not see.
    """

    text: str
    tokens: tuple[str, ...]
    log_probs: tuple[float, ...]
    score: float
    finish: Finish
    truncated: int = 0


@dataclass(frozen=True)
class Document:
    """What was written for a text of any length, and the outputs that it was made from."""

    text: str
    parts: tuple[Written, ...]

    @property
    def truncated(self) -> int:
        """How many tokens the model did not see, of all parts."""
        return sum(part.truncated for part in self.parts)

    @property
    def unfinished(self) -> int:
        """How many parts ended because they might not be longer."""
        return sum(part.finish is Finish.LENGTH for part in self.parts)


@dataclass(frozen=True)
class Scored:
    """How probable a text is, token by token."""

    tokens: tuple[str, ...]
    log_probs: tuple[float, ...]

    @property
    def log_prob(self) -> float:
        """The log-probability of the whole, Σ log p."""
        return math.fsum(self.log_probs)

    @property
    def perplexity(self) -> float:
        """exp(-mean log p) over its tokens; NaN where there is none."""
        count = len(self.log_probs)
        return math.exp(-self.log_prob / count) if count else math.nan


@dataclass(frozen=True)
class Alignment:
    """How much each token of an output reads of each token of its source.

    Attributes:
        source: The S tokens of the source.
        output: The T tokens of the output.
        weights_TS: The weights, each row summing to 1.
    """

    source: Sequence[str]
    output: Sequence[str]
    weights_TS: Tensor


# Pieces of an output as they become certain, and then the whole.
Stream = Generator[str, None, Written]
