"""What the next token may not be, and what it must be: pure functions of the tokens so far.

`tokens` are those of prompt and output together, `written` those of the output alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from manyheads.generate.phrases import beginnings, completions, missing, progress
from manyheads.generate.room import ELSE, fits, need
from manyheads.generate.settings import Settings


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
        open_phrases = list(missing(written, one.required))
        if len(written) < one.min_tokens or open_phrases:
            banned |= self.ends
        if open_phrases and one.banned:
            banned.update(self._spoilers(written))
        return banned

    def _spoilers(self, written: Sequence[int]) -> Iterator[int]:
        """Yield the tokens behind which what is required has no room without a banned phrase."""
        one = self.settings
        room = one.max_tokens - len(written) - 1
        for token in {token for phrase in one.banned for token in phrase}:
            if not fits((*written, token), one.required, one.banned, room):
                yield token

    def outside(self, logits_RV: Tensor) -> Tensor | None:
        """Return True for each token, (V), that is never written; None where there is none."""
        if self.settings.vocabulary is None:
            return None
        allowed = self.settings.vocabulary | self.ends
        return _outside(allowed, logits_RV.shape[1], logits_RV.device)

    def demanded(self, written: Sequence[int], banned: set[int]) -> list[int] | None:
        """Return the tokens of which one must come next if all that is required is to be in time.

        None where there is room for another; empty where it is too late. Those that repeat a run,
        among `banned`, are demanded only where nothing else would do.
        """
        one = self.settings
        room = one.max_tokens - len(written) - 1
        later = need((*written, ELSE), one.required, one.banned)
        if later.enough <= room:
            return None
        wanted = {
            phrase[size]
            for phrase in missing(written, one.required)
            for size in beginnings(written, phrase)
        }.difference(completions(written, one.banned))
        after = {token: need((*written, token), one.required, one.banned) for token in wanted}
        sure = [token for token in wanted if after[token].enough <= room]
        if not sure and later.least <= room:
            return None
        possible = sure or [token for token in wanted if after[token].least <= room]
        return [token for token in possible if token not in banned] or possible

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
