"""What the next token may not be, and what it must be: pure functions of the tokens so far.

`tokens` are those of prompt and output together, `written` those of the output alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from manyheads.generate.settings import Phrase, Settings, holds


@dataclass(frozen=True)
class Rules:
    """What settings forbid and demand at the next token of one sequence.

    `ends` are the tokens that end an output.
    """

    settings: Settings
    ends: frozenset[int]

    @property
    def are_none(self) -> bool:
        """Whether every token may follow every other one, whatever was written."""
        one = self.settings
        free = not (one.no_repeat_ngram or one.banned or one.required or one.min_tokens)
        return free and one.vocabulary is None

    def banned(self, tokens: Sequence[int], written: Sequence[int]) -> set[int]:
        """Return the tokens that may not come next; those outside the vocabulary apart."""
        one = self.settings
        banned = set(repeats(tokens, one.no_repeat_ngram))
        banned.update(completions(written, one.banned))
        if len(written) < one.min_tokens or any(missing(written, one.required)):
            banned |= self.ends
        return banned

    def outside(self, logits_RV: Tensor) -> Tensor | None:
        """Return True for each token, (V), that is never written; None where there is none."""
        if self.settings.vocabulary is None:
            return None
        allowed = self.settings.vocabulary | self.ends
        return _outside(allowed, logits_RV.shape[1], logits_RV.device)

    def demanded(self, written: Sequence[int], banned: set[int]) -> int | None:
        """Return the token that must come next if all that is required is to be written in time.

        None where there is room for another. `banned` tokens are demanded only where nothing else
        would do.
        """
        room = self.settings.max_tokens - len(written)
        open_phrases = list(missing(written, self.settings.required))
        if not open_phrases or sum(map(len, open_phrases)) < room:
            return None
        begun = {phrase: progress(written, phrase) for phrase in open_phrases}
        order = sorted(open_phrases, key=begun.__getitem__, reverse=True)
        wanted = [phrase[begun[phrase]] for phrase in order]
        if begun[order[0]]:  # what was begun cannot be begun again in time
            return wanted[0]
        return next((token for token in wanted if token not in banned), wanted[0])

    def offers(self, written: Sequence[int]) -> set[int]:
        """Return the tokens that begin or go on with what is required and not there yet."""
        required = self.settings.required
        return {phrase[progress(written, phrase)] for phrase in missing(written, required)}

    def met(self, written: Sequence[int]) -> int:
        """Return how many tokens of what is required are there, counting the best beginning."""
        required = self.settings.required
        open_phrases = list(missing(written, required))
        whole = sum(map(len, required)) - sum(map(len, open_phrases))
        return whole + max((progress(written, phrase) for phrase in open_phrases), default=0)


@lru_cache(maxsize=64)
def _outside(allowed: frozenset[int], size: int, device: torch.device) -> Tensor:
    mask_V = torch.ones(size, dtype=torch.bool, device=device)
    mask_V[torch.tensor(sorted(allowed), device=device)] = False
    return mask_V


def repeats(tokens: Sequence[int], size: int) -> Iterator[int]:
    """Yield the tokens that would complete a run of `size` tokens that is there already."""
    if size == 0 or len(tokens) < size:
        return
    last = list(tokens[len(tokens) - size + 1 :])
    for start in range(len(tokens) - size + 1):
        if list(tokens[start : start + size - 1]) == last:
            yield tokens[start + size - 1]


def completions(tokens: Sequence[int], phrases: Sequence[Phrase]) -> Iterator[int]:
    """Yield the last token of each phrase whose other tokens end the sequence."""
    for phrase in phrases:
        before = phrase[:-1]
        if not before or tuple(tokens[-len(before) :]) == before:
            yield phrase[-1]


def missing(tokens: Sequence[int], phrases: Sequence[Phrase]) -> Iterator[Phrase]:
    """Yield the phrases that the sequence does not hold."""
    return (phrase for phrase in phrases if not holds(tokens, phrase))


def progress(tokens: Sequence[int], phrase: Phrase) -> int:
    """Return how many tokens of the phrase's beginning the sequence ends with."""
    longest = min(len(tokens), len(phrase) - 1)
    return next(n for n in range(longest, -1, -1) if n == 0 or tuple(tokens[-n:]) == phrase[:n])
