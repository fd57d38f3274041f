"""How well a model foretells tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass

from manyheads.tasks.metrics import Scores


@dataclass(frozen=True)
class TokenScores(Scores):
    """Perplexity, e to the loss of an average token, and the share of tokens guessed right."""

    perplexity: float
    token_accuracy: float
    tokens: int

    @classmethod
    def of(cls, loss: float, hits: float, tokens: int) -> TokenScores:
        """Return the scores of a summed loss in nats and a number of right guesses."""
        return cls(_exp(loss / tokens), hits / tokens, tokens)


def _exp(nats: float) -> float:
    # A loss that overflows is no reason for a run to end.
    return math.exp(nats) if nats < 700 else math.inf
