"""Searches: which offers sequences go on with, and which outputs are found. No tensor in here.

A search has live paths, the rows of its request in the engine. Each step it is given what every
path may go on with, and answers with the parents of its new paths:

    offers of path 0   offers of path 1          parents of the new live paths   (1, 0)
    [-0.1 the, …]      [-0.3 cat, …]       →     outputs that have ended
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from typing import Protocol

from manyheads.generate.constraints import Rules
from manyheads.generate.offers import Offer, pool_size
from manyheads.generate.settings import Beam, Settings, Stopping


class Finish(Enum):
    """Why an output ended."""

    END = "end"  # a token that ends
    STOP = "stop"  # a string that stops
    LENGTH = "length"  # the most tokens that were allowed


@dataclass(frozen=True)
class Path:
    """A sequence in work: what was written of it, each token's log-probability under the model.

    `score` is what it is ranked by among paths of equal length; `sample` its number among those of
    its request that are drawn independently.
    """

    tokens: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    score: float = 0.0
    sample: int = 0

    def plus(self, offer: Offer) -> Path:
        """Return the path that goes on with an offer."""
        return Path(
            (*self.tokens, offer.token),
            (*self.log_probs, offer.log_prob),
            self.score + offer.score,
            self.sample,
        )


@dataclass(frozen=True)
class Hypothesis:
    """An output: its tokens, with the one that ended it, and their log-probabilities.

    Outputs of a request are ranked by `score`.
    """

    tokens: tuple[int, ...]
    log_probs: tuple[float, ...]
    score: float
    finish: Finish


Ending = Callable[[Sequence[int]], Finish | None]  # why an output that holds these tokens ends


class Search(Protocol):
    """What the engine knows of a search."""

    @property
    def live(self) -> list[Path]:
        """The paths that go on."""

    @property
    def outputs(self) -> list[Hypothesis]:
        """The outputs so far, best first."""

    def advance(self, offers: Sequence[Sequence[Offer]]) -> list[int]:
        """Go on by one token from offers for each live path; return the parents of the new ones.

        The search is over where there is none.
        """


class Lines:
    """Independent paths, each of which goes on with the only offer it gets: greedy, or samples."""

    def __init__(self, begun: Path, settings: Settings, ending: Ending) -> None:
        self.live = [
            Path(begun.tokens, begun.log_probs, begun.score, sample)
            for sample in range(settings.n_best)
        ]
        self._ending = ending
        self._outputs: list[Hypothesis] = []

    @property
    def outputs(self) -> list[Hypothesis]:
        """The outputs so far, the most probable by token first."""
        return sorted(self._outputs, key=lambda one: -one.score)

    def advance(self, offers: Sequence[Sequence[Offer]]) -> list[int]:
        """Go on with each path's offer; return the parents of those that have not ended."""
        grown = [path.plus(some[0]) for path, some in zip(self.live, offers, strict=True)]
        endings = [self._ending(path.tokens) for path in grown]
        self._outputs += [
            Hypothesis(path.tokens, path.log_probs, sum(path.log_probs) / len(path.tokens), finish)
            for path, finish in zip(grown, endings, strict=True)
            if finish is not None
        ]
        parents = [i for i, finish in enumerate(endings) if finish is None]
        self.live = [grown[i] for i in parents]
        return parents


class BeamSearch:
    """The best beginnings of equal length, of which the best that end are kept.

    `chosen` are the tokens by which the last step went on or ended.
    """

    def __init__(self, begun: Path, beam: Beam, rules: Rules, ending: Ending) -> None:
        self.live = [begun]
        self.chosen: list[int] = []
        self.beam = beam
        self._rules = rules
        self._ending = ending
        self._found: list[Hypothesis] = []

    @property
    def outputs(self) -> list[Hypothesis]:
        """The outputs so far, best first."""
        return list(self._found)

    def advance(self, offers: Sequence[Sequence[Offer]]) -> list[int]:
        """Keep the best of all continuations; return the parents of those that have not ended.

        A continuation that ends is an output where it is among the best `beams`. Those that are
        not are there so that enough paths live on.
        """
        pool = [
            (path.score + offer.score, row, offer)
            for row, (path, some) in enumerate(zip(self.live, offers, strict=True))
            for offer in some
        ]
        pool.sort(key=lambda one: -one[0])
        parents: list[int] = []
        live: list[Path] = []
        ended: list[int] = []
        for rank, (_, row, offer) in enumerate(self._in_turn(pool)):
            if rank >= self.beam.beams and len(live) == self.beam.beams:
                break
            path = self.live[row].plus(offer)
            finish = self._ending(path.tokens)
            if finish is None and len(live) < self.beam.beams:
                parents.append(row)
                live.append(path)
            elif finish is not None and rank < self.beam.beams:
                self._keep(path, finish)
                ended.append(offer.token)
        self.live = live
        if self._is_over():
            self.live, parents = [], []
        self.chosen = ended + [path.tokens[-1] for path in self.live]
        return parents

    def _in_turn(self, pool: list[tuple[float, int, Offer]]) -> list[tuple[float, int, Offer]]:
        """Return the best of the pool, each number of met requirements having its turn.

        Paths that have met more of what is required are less probable, and would not live to meet
        the rest if all were ranked together (Post & Vilar 2018, section 3).
        """
        size = pool_size(self.beam, self._rules.ends)
        if not self._rules.settings.required:
            return pool[:size]
        banks: dict[int, list[tuple[float, int, Offer]]] = {}
        for one in pool:
            met = self._rules.met((*self.live[one[1]].tokens, one[2].token))
            banks.setdefault(met, []).append(one)
        turns = zip_longest(*(banks[met] for met in sorted(banks, reverse=True)))
        return [one for turn in turns for one in turn if one is not None][:size]

    def _keep(self, path: Path, finish: Finish) -> None:
        score = path.score / len(path.tokens) ** self.beam.length_penalty
        self._found.append(Hypothesis(path.tokens, path.log_probs, score, finish))
        self._found.sort(key=lambda one: -one.score)
        del self._found[self.beam.beams :]

    def _is_over(self) -> bool:
        """Whether nothing that may still be found would be among the best."""
        if not self.live:
            return True
        if len(self._found) < self.beam.beams:
            return False
        length, penalty = len(self.live[0].tokens), self.beam.length_penalty
        if self.beam.stopping is Stopping.ENOUGH:
            return True
        if self.beam.stopping is Stopping.EXHAUSTED and penalty > 0:
            length = self._rules.settings.max_tokens
        best = max(path.score for path in self.live) / length**penalty
        return best <= self._found[-1].score


class DiverseBeams:
    """Groups of beams that choose one after the other, and avoid what earlier ones chose."""

    def __init__(self, begun: Path, beam: Beam, rules: Rules, ending: Ending) -> None:
        self.beam = beam
        each = Beam(beam.beams // beam.groups, beam.length_penalty, stopping=beam.stopping)
        self._groups = [BeamSearch(begun, each, rules, ending) for _ in range(beam.groups)]

    @property
    def live(self) -> list[Path]:
        """The paths of all groups."""
        return [path for group in self._groups for path in group.live]

    @property
    def outputs(self) -> list[Hypothesis]:
        """The outputs of all groups, best first."""
        found = [one for group in self._groups for one in group.outputs]
        return sorted(found, key=lambda one: -one.score)

    def advance(self, offers: Sequence[Sequence[Offer]]) -> list[int]:
        """Let one group after the other go on; return the parents of all their paths."""
        parents: list[int] = []
        chosen: list[int] = []
        first = 0
        for group in self._groups:
            count = len(group.live)
            if not count:
                continue
            dearer = [
                [
                    offer._replace(
                        score=offer.score - self.beam.diversity * chosen.count(offer.token)
                    )
                    for offer in some
                ]
                for some in offers[first : first + count]
            ]
            parents += [first + parent for parent in group.advance(dearer)]
            chosen += group.chosen
            first += count
        return parents


def search_for(begun: Path, rules: Rules, ending: Ending) -> Search:
    """Return the search that a request's settings describe, after what is given of its output."""
    settings = rules.settings
    if not isinstance(settings.strategy, Beam):
        return Lines(begun, settings, ending)
    kind = DiverseBeams if settings.strategy.groups > 1 else BeamSearch
    return kind(begun, settings.strategy, rules, ending)
