"""Requests in work together: their searches, and the rows of cache and memory that are theirs.

jobs     a           b        c
cache    a0 a1 a2    b0       c0 c1        one row for each live path
memory   a           b        c            one source for each job of an encoder-decoder
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, zip_longest
from typing import TypeVar

import torch

from manyheads.core.cache import Cache, Memory
from manyheads.core.layout import Layout
from manyheads.errors import GenerationError
from manyheads.generate.constraints import Rules
from manyheads.generate.offers import Offers, View, nothing_allowed
from manyheads.generate.request import Request
from manyheads.generate.sampling import Uniforms
from manyheads.generate.search import Path, Search
from manyheads.generate.settings import Beam
from manyheads.generate.stream import certain

Guess = Sequence[int]  # tokens that a path may go on with, read ahead to find out whether it does
Item = TypeVar("Item")


@dataclass
class Job:
    """A request in work."""

    ticket: int
    request: Request
    rules: Rules
    search: Search
    uniforms: Sequence[Uniforms]  # of each sample; none for searches that draw nothing
    told: int = 0  # tokens of the output that news have brought
    error: GenerationError | None = None  # what ended it

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.request.called(self.ticket)

    @property
    def width(self) -> int:
        """How many sequences it may still have in work at once: beams may have yet to spread."""
        settings = self.request.settings
        return settings.width if isinstance(settings.strategy, Beam) else len(self.search.live)

    @property
    def text(self) -> list[int]:
        """The tokens of the prompt and of its only path."""
        return [*self.request.prompt, *self.search.live[0].tokens]

    @property
    def room(self) -> int:
        """How many tokens a guess for its only path may have: the model chooses one behind it."""
        return self.request.settings.max_tokens - len(self.search.live[0].tokens) - 1

    def view(self, path: Path, guess: Sequence[int] = ()) -> View:
        """Return what the choice of the next token of a path needs to know, behind a guess."""
        written = (*path.tokens, *guess)
        uniform = self.uniforms[path.sample][len(written)] if self.uniforms else 0.0
        return View(self.rules, self.request.prompt, written, uniform, self.name)

    def tell(self) -> tuple[int, ...]:
        """Return the tokens that have become certain, once."""
        tokens = certain(self.search, self.told)
        self.told += len(tokens)
        return tokens

    def advance(
        self, steps: Sequence[Sequence[Offers]], guesses: Sequence[Guess]
    ) -> tuple[list[int], int]:
        """Let the search go on, a lone path by as many tokens as were guessed right, and one more.

        `steps` are the offers behind each part of each path's guess. Return the parents of the new
        paths, and by how many tokens they went on. Whatever goes wrong becomes the `error` of this
        job, and it has no new paths.
        """
        try:
            if len(steps) > 1:
                return self._chosen([step[0] for step in steps]), 1
            taken = 0
            for offers, guessed in zip_longest(steps[0], guesses[0]):
                parents = self._chosen([offers])
                taken += 1
                if len(parents) != 1 or self.search.live[0].tokens[-1] != guessed:
                    break
            return parents, taken
        except Exception as error:  # also of what spells: it must not end what others are written
            self.error = self._typed(error)
            return [], 0

    def _chosen(self, offers: Sequence[Offers]) -> list[int]:
        """Let the search choose from what its paths are offered; return parents."""
        if wrong := [some for some in offers if isinstance(some, GenerationError)]:
            raise wrong[0]
        given = [some for some in offers if isinstance(some, list)]
        if not any(given) and not self.search.outputs:
            raise nothing_allowed(self.name, len(self.search.live[0].tokens))
        return self.search.advance(given)

    def _typed(self, error: Exception) -> GenerationError:
        """Return an error that names this job, and that keeps nothing of the pass alive."""
        if isinstance(error, GenerationError):
            return error.with_traceback(None)
        typed = GenerationError(
            f"{self.name}, token {len(self.search.live[0].tokens) + 1}: {type(error).__name__} "
            f"({error}) where its search went on; mend what spells its tokens"
        )
        typed.add_note("".join(traceback.format_exception(error)))
        typed.__cause__ = error.with_traceback(None)
        return typed


class Work:
    """Jobs that share each step of a decoder."""

    def __init__(self, jobs: Sequence[Job], cache: Cache, memory: Memory | None = None) -> None:
        self.jobs = list(jobs)
        self.cache = cache
        self.memory = memory

    @property
    def tickets(self) -> list[int]:
        """Those of all jobs."""
        return [job.ticket for job in self.jobs]

    @property
    def names(self) -> dict[int, str]:
        """What messages call each request, by its ticket."""
        return {job.ticket: job.name for job in self.jobs}

    @property
    def rows(self) -> int:
        """How many sequences are in work."""
        return sum(len(job.search.live) for job in self.jobs)

    @property
    def width(self) -> int:
        """How many sequences may be in work at once until one of the jobs is done."""
        return sum(job.width for job in self.jobs)

    def next_tokens(self, guesses: Sequence[Guess]) -> list[list[int]]:
        """Return what the decoder reads next: each path's last token, and what was guessed."""
        paths = [path for job in self.jobs for path in job.search.live]
        return [[path.tokens[-1], *guess] for path, guess in zip(paths, guesses, strict=True)]

    def readers(self, guesses: Sequence[Guess], device: torch.device) -> Layout:
        """Return how many tokens in a row read each source of the memory."""
        own = self._own([1 + len(guess) for guess in guesses])
        return Layout(map(sum, own), device)

    def views(self, guesses: Sequence[Guess]) -> list[View]:
        """Return what is known where each token is chosen: behind each part of a path's guess."""
        own = self._own(guesses)
        return [
            job.view(path, guess[:size])
            for job, some in zip(self.jobs, own, strict=True)
            for path, guess in zip(job.search.live, some, strict=True)
            for size in range(len(guess) + 1)
        ]

    def advance(self, offers: Sequence[Offers], guesses: Sequence[Guess]) -> list[Job]:
        """Let every search go on with what its paths are offered; return the jobs that are over.

        A path goes on as long as it is offered what was guessed. Rows of the cache become those of
        the new paths; a job that is done, or ended by an error, leaves.
        """
        ends = list(accumulate(1 + len(guess) for guess in guesses))
        steps = [offers[start:end] for start, end in pairwise([0, *ends])]
        first, parents, read = 0, [], list(self.cache.lengths)
        for job, some, guessed in zip(self.jobs, self._own(steps), self._own(guesses), strict=True):
            rows, taken = job.advance(some, guessed)
            parents.append([first + row for row in rows])
            for row in range(len(some)):
                read[first + row] -= len(some[row]) - taken
            first += len(some)
        self.cache.cut(read)
        over = [job for job, rows in zip(self.jobs, parents, strict=True) if not rows]
        self._keep(parents)
        return over

    def _own(self, rows: Sequence[Item]) -> list[Sequence[Item]]:
        """Return what belongs to each job of something that each path has."""
        firsts = [0, *accumulate(len(job.search.live) for job in self.jobs)]
        return [rows[first:last] for first, last in pairwise(firsts)]

    def drop(self, ticket: int) -> None:
        """Let the job of a ticket leave, if it is there."""
        own = self._own(range(self.rows))
        self._keep(
            [() if job.ticket == ticket else rows for job, rows in zip(self.jobs, own, strict=True)]
        )

    def join(self, other: Work) -> None:
        """Take in the jobs of another, behind one's own."""
        if not other.jobs:
            return
        self.cache.join(other.cache)
        if not self.jobs:
            self.memory = other.memory
        elif self.memory is not None and other.memory is not None:
            self.memory.join(other.memory)
        self.jobs += other.jobs

    def _keep(self, rows: Sequence[Sequence[int]]) -> None:
        """Let each job have these rows of the cache; those that have none leave."""
        order = _filled([bool(own) for own in rows])
        self.jobs = [self.jobs[i] for i in order]
        if not order:
            self.cache, self.memory = Cache(len(self.cache.layers)), None
            return
        self.cache.select([row for i in order for row in rows[i]])
        if self.memory is not None:
            self.memory.select(order)


def guesses_for(
    jobs: Sequence[Job],
    can_guess: Callable[[Job], bool],
    guess: Callable[[Sequence[Job]], Sequence[Guess]],
) -> list[Guess]:
    """Return a guess for each live path of all jobs, by `guess` for those of which one can be made.

    It is empty where there are several paths, or no room.
    """
    alone = [job for job in jobs if len(job.search.live) == 1 and job.room > 0 and can_guess(job)]
    found = dict(zip([job.ticket for job in alone], guess(alone), strict=True))
    return [found.get(job.ticket, ()) for job in jobs for _ in job.search.live]


def _filled(stays: Sequence[bool]) -> list[int]:
    """Return the positions that stay, with the last of them in the place of those that do not.

    Fewer rows move in this way than if all behind a gap closed up.
    """
    order: list[int] = []
    last = len(stays)
    for at in range(len(stays)):
        if at >= last:
            break
        if stays[at]:
            order.append(at)
            continue
        last = next((i for i in range(last - 1, at, -1) if stays[i]), at)
        if last > at:
            order.append(last)
    return order
