"""Requests in work together: their searches, and the rows of cache and memory that are theirs.

jobs     a           b        c
cache    a0 a1 a2    b0       c0 c1        one row for each live path
memory   a           b        c            one source for each job of an encoder-decoder
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from manyheads.core.cache import Cache, Memory
from manyheads.core.layout import Layout
from manyheads.generate.constraints import Rules
from manyheads.generate.offers import Offer, View, nothing_allowed
from manyheads.generate.request import Request
from manyheads.generate.sampling import Uniforms
from manyheads.generate.search import Search
from manyheads.generate.settings import Beam


@dataclass
class Job:
    """A request in work."""

    ticket: int
    request: Request
    rules: Rules
    search: Search
    uniforms: Sequence[Uniforms]  # of each sample; none for searches that draw nothing
    told: int = 0  # tokens of the output that news have brought

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"request {self.ticket}"

    @property
    def width(self) -> int:
        """How many sequences it may still have in work at once: beams may have yet to spread."""
        settings = self.request.settings
        return settings.width if isinstance(settings.strategy, Beam) else len(self.search.live)

    def views(self) -> list[View]:
        """Return what the choice of the next token needs to know of each live path."""
        return [
            View(
                self.rules,
                self.request.prompt,
                path.tokens,
                self.uniforms[path.sample][len(path.tokens)] if self.uniforms else 0.0,
                self.name,
            )
            for path in self.search.live
        ]


class Work:
    """Jobs that share each step of a decoder."""

    def __init__(self, jobs: Sequence[Job], cache: Cache, memory: Memory | None = None) -> None:
        self.jobs = list(jobs)
        self.cache = cache
        self.memory = memory

    @property
    def rows(self) -> int:
        """How many sequences are in work."""
        return sum(len(job.search.live) for job in self.jobs)

    @property
    def width(self) -> int:
        """How many sequences may be in work at once until one of the jobs is done."""
        return sum(job.width for job in self.jobs)

    def last_tokens(self, device: torch.device) -> Tensor:
        """Return the last token of every live path, (R)."""
        return torch.tensor(
            [path.tokens[-1] for job in self.jobs for path in job.search.live], device=device
        )

    def readers(self, device: torch.device) -> Layout:
        """Return how many paths read each source of the memory."""
        return Layout((len(job.search.live) for job in self.jobs), device)

    def views(self) -> list[View]:
        """Return what the choice of the next token needs to know of every live path."""
        return [view for job in self.jobs for view in job.views()]

    def advance(self, offers: Sequence[Sequence[Offer]]) -> list[Job]:
        """Let every search go on with what its paths are offered; return the jobs that are done.

        Rows of the cache become those of the new paths, and what is done leaves.
        Raises `GenerationError` where the beams of a job cannot go on, and found nothing.
        """
        counts = [len(job.search.live) for job in self.jobs]
        firsts = [0, *accumulate(counts)]
        own = [offers[first:last] for first, last in pairwise(firsts)]
        for job, some in zip(self.jobs, own, strict=True):
            if not any(some) and not job.search.outputs:
                raise nothing_allowed(job.name, len(job.search.live[0].tokens))
        parents = [
            [firsts[i] + parent for parent in job.search.advance(own[i])]
            for i, job in enumerate(self.jobs)
        ]
        done = [job for job, rows in zip(self.jobs, parents, strict=True) if not rows]
        self._keep(parents)
        return done

    def drop(self, ticket: int) -> None:
        """Let the job of a ticket leave, if it is there."""
        firsts = [0, *accumulate(len(job.search.live) for job in self.jobs)]
        rows = [list(range(*pair)) for pair in pairwise(firsts)]
        self._keep(
            [[] if job.ticket == ticket else own for job, own in zip(self.jobs, rows, strict=True)]
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
        self.cache.select([row for i in order for row in rows[i]])
        if self.memory is not None and order:
            self.memory.select(order)
        self.jobs = [self.jobs[i] for i in order]
        if not order:
            self.memory = None


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
