"""How well a model foretells tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass

from manyheads.tasks.language.stream import Stream
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


@dataclass(frozen=True)
class StreamScores(TokenScores):
    """The same of running text, and the bits that each byte and each character of it takes: these
    do not depend on the tokenizer.
    """

    bits_per_byte: float
    bits_per_character: float

    @classmethod
    def of_stream(cls, loss: float, hits: float, stream: Stream) -> StreamScores:
        """Return the scores of a stream's summed loss in nats and number of right guesses."""
        bits, tokens = loss / math.log(2), stream.tokens
        return cls(
            _exp(loss / tokens),
            hits / tokens,
            tokens,
            bits / max(stream.bytes, 1),
            bits / max(stream.characters, 1),
        )
