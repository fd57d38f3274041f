"""Speculative decoding: a smaller model guesses ahead, and the model reads all guesses at once.

Reading several tokens takes a model hardly longer than reading one, because its weights are read
from memory once. What is written is what the model would have written by itself: a guess only
stays where it is what the model chooses (Leviathan, Kalman & Matias 2023). Samples are exact too,
token by token, because draft and model draw with the same random numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from manyheads.core.cache import Cache, Memory
from manyheads.core.layout import Layout
from manyheads.core.rounded import rounded
from manyheads.core.transformer import Transformer
from manyheads.errors import GenerationError
from manyheads.generate.offers import Offers, offers_of
from manyheads.generate.request import Writer
from manyheads.generate.work import Guess, Job, guesses_for


@dataclass(frozen=True)
class Draft:
    """A model of the same vocabulary that guesses up to so many `tokens` for each step.

    It guesses nothing while more than so many `requests` are in work: those share the reading of
    the weights without it.
    """

    writer: Writer
    tokens: int = 4
    requests: int | None = None

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise GenerationError(f"tokens={self.tokens} is below 1; guess at least 1")

    def guesser(self, writer: Writer) -> Guesser:
        """Return what guesses for an engine; raises `GenerationError` for another vocabulary."""
        return Guesser(self, writer)


@dataclass(frozen=True)
class Rounded:
    """A copy of the model itself with rounded weights, which are read from memory in less time.

    It guesses up to so many `tokens` for each step, for one or two requests at once, on CPU.
    """

    tokens: int = 6

    def draft(self, transformer: Transformer) -> Draft:
        """Return the draft for a model, which may be packed."""
        return Draft(Writer(rounded(transformer), frozenset()), self.tokens, requests=2)


class Guesser:
    """What a draft remembers of the requests that it guesses for: those with a single path.

    Raises `GenerationError` where its vocabulary is not the model's, or only one of both reads a
    source.
    """

    def __init__(self, draft: Draft, writer: Writer) -> None:
        if draft.writer.vocabulary != writer.vocabulary or draft.writer.reads != writer.reads:
            raise GenerationError(
                f"the draft has {draft.writer.vocabulary} tokens, the model {writer.vocabulary}, "
                "or one of both reads a source; choose a smaller model of the same family"
            )
        self._draft = draft
        self._transformer = draft.writer.transformer
        self._cache = self._empty()
        self._memory: Memory | None = None
        self._tickets: list[int] = []
        self._read: list[list[int]] = []  # the tokens of each ticket that are in the cache

    def guess(self, jobs: Sequence[Job]) -> list[Guess]:
        """Return a guess for each live path of all jobs; an empty one where there are several."""
        if self._draft.requests is not None and len(jobs) > self._draft.requests:
            return [()] * sum(len(job.search.live) for job in jobs)
        return guesses_for(jobs, self._can_read, self._guess)

    def keep(self, tickets: Collection[int]) -> None:
        """Forget all requests but these."""
        self._select([row for row, ticket in enumerate(self._tickets) if ticket in tickets])

    def _can_read(self, job: Job) -> bool:
        """Whether there is nothing in a job that the draft cannot read."""
        spec, source = self._transformer.spec, job.request.source or ()
        readable = len(source) <= spec.max_tokens and max(source, default=0) < spec.embed.vocabulary
        return readable and len(job.text) < spec.max_tokens

    def _guess(self, jobs: Sequence[Job]) -> list[list[int]]:
        """Return the draft's greedy or sampled tokens; fewer where it does not know what follows.

        What becomes of a request is the model's to say, so that an error of the draft is none.
        """
        if not jobs:
            return []
        guesses: list[list[int]] = [[] for _ in jobs]
        stuck: set[int] = set()
        texts = [job.text for job in jobs]
        self._follow(jobs, texts)
        fed = [text[len(read) :] for text, read in zip(texts, self._read, strict=True)]
        for _ in range(self._steps(jobs, texts)):
            hidden_RD = self._decoded(fed)
            logits_RV = self._transformer.logits(hidden_RD).float()
            views = [
                job.view(job.search.live[0], guess)
                for job, guess in zip(jobs, guesses, strict=True)
            ]
            tokens = [_best(offers) for offers in offers_of(logits_RV, views)]
            stuck.update(row for row, token in enumerate(tokens) if token is None)
            fed = [[token or 0] for token in tokens]  # every row reads one, though it be forgotten
            for row in set(range(len(jobs))) - stuck:
                guesses[row] += fed[row]
        return guesses

    def _steps(self, jobs: Sequence[Job], texts: Sequence[Sequence[int]]) -> int:
        """Return how many tokens there is room for in all outputs, and in the draft's positions."""
        positions = self._transformer.spec.max_tokens
        beyond = [positions - len(text) for text in texts]
        return min([self._draft.tokens, *(job.room for job in jobs), *beyond])

    def _follow(self, jobs: Sequence[Job], texts: Sequence[Sequence[int]]) -> None:
        """Let the cache hold the beginnings of these texts, in their order: all but the last token
        at most.
        """
        tickets = [job.ticket for job in jobs]
        self.keep(tickets)
        new = [row for row, ticket in enumerate(tickets) if ticket not in self._tickets]
        if new:
            self._join([jobs[row] for row in new], [texts[row] for row in new])
        self._select([self._tickets.index(ticket) for ticket in tickets])
        for row, text in enumerate(texts):
            read = self._read[row]
            both = enumerate(zip(read, text, strict=False))
            wrong = next((i for i, (guessed, token) in both if guessed != token), len(read))
            self._read[row] = read[: min(wrong, len(text) - 1)]
        self._cache.cut([len(read) for read in self._read])

    def _select(self, rows: Sequence[int]) -> None:
        if not rows:
            self._cache, self._memory = self._empty(), None
        self._cache.select(rows)
        if self._memory is not None:
            self._memory.select(rows)
        self._tickets = [self._tickets[row] for row in rows]
        self._read = [self._read[row] for row in rows]

    def _join(self, jobs: Sequence[Job], texts: Sequence[Sequence[int]]) -> None:
        """Read texts that are new, up to their last token."""
        memory = self._draft.writer.remember([job.request.source for job in jobs], lasts=True)
        read = [list(text[:-1]) for text in texts]
        ids_T, layout = Layout.flatten(read, self._transformer.device)
        cache = self._empty()
        self._transformer.decode(ids_T, layout, memory, None, cache)
        self._cache.join(cache)
        if self._memory is not None and memory is not None:
            self._memory.join(memory)
        else:
            self._memory = memory
        self._tickets += [job.ticket for job in jobs]
        self._read += read

    def _decoded(self, fed: Sequence[Sequence[int]]) -> Tensor:
        """Return the hidden state behind the last of the tokens that each row is fed, (R, D)."""
        device = self._transformer.device
        layout = self._cache.next([len(tokens) for tokens in fed], device)
        ids_T = torch.tensor([token for tokens in fed for token in tokens], device=device)
        hidden_TD = self._transformer.decode(ids_T, layout, self._memory, None, self._cache)
        for read, tokens in zip(self._read, fed, strict=True):
            read += tokens
        return hidden_TD[layout.offsets[1:] - 1]

    def _empty(self) -> Cache:
        decoder = self._transformer.decoder
        assert decoder is not None
        return Cache(len(decoder.blocks))


def _best(offers: Offers) -> int | None:
    """Return the token of the first offer, if there is any."""
    return offers[0].token if isinstance(offers, list) and offers else None
