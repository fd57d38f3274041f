"""Guesses without a model: what followed the same tokens before is likely to follow again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from manyheads.errors import GenerationError
from manyheads.generate.request import Writer
from manyheads.generate.work import Guess, Job, guesses_for


@dataclass(frozen=True)
class Lookup:
    """Guesses up to so many `tokens` from source, prompt and output (Saxena 2023, prompt lookup).

    It looks for the last `match` tokens, or the last two of them at least, where they stand for the
    last time before, and guesses what came then. Worth it where texts repeat themselves or their
    source: summaries, code, lists. What is written stays the same, as with a `Draft`.
    """

    tokens: int = 4
    match: int = 3

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise GenerationError(f"tokens={self.tokens} is below 1; guess at least 1")
        if self.match < 2:
            raise GenerationError(f"match={self.match} is below 2; one token tells too little")

    def guesser(self, writer: Writer) -> Lookup:
        """Return what guesses for an engine: itself, as there is nothing to remember."""
        return self

    def keep(self, tickets: Collection[int]) -> None:
        """Forget all requests but these: there is nothing that it knows of any."""

    def guess(self, jobs: Sequence[Job]) -> list[Guess]:
        """Return a guess for each live path of all jobs; an empty one where there are several."""
        return guesses_for(jobs, lambda _: True, lambda alone: [self._guess(job) for job in alone])

    def _guess(self, job: Job) -> Guess:
        text = [*(job.request.source or ()), *job.text]
        return following(text, self.match, min(self.tokens, job.room))


def following(text: Sequence[int], match: int, count: int) -> Sequence[int]:
    """Return `count` tokens that followed the last ones of a text where they stood last before.

    As many of the last ones as `match` says, or fewer, but two; nothing where none stood there.
    What followed is repeated where it is too short: so far the text has done so too.
    """
    for size in range(min(match, len(text) - 1), 1, -1):
        last = text[-size:]
        for start in range(len(text) - size - 1, -1, -1):
            if text[start] == last[0] and text[start : start + size] == last:
                return list(islice(cycle(text[start + size :]), max(count, 0)))
    return ()
