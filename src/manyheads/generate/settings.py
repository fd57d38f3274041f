"""How to write: frozen dataclasses that say which of all texts to search for, and under what rules.

A `Strategy` says how tokens are chosen, `Settings` what every output must keep to, whatever the
strategy. Phrases are token ids: whoever holds the tokenizer turns text into them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from manyheads.errors import GenerationError
from manyheads.generate.phrases import Phrase, holds
from manyheads.generate.room import need


class Stopping(Enum):
    """When a beam search that has found enough outputs ends."""

    ATTAINABLE = "attainable"  # no live beam, scored at its present length, beats the worst found
    ENOUGH = "enough"  # at once
    EXHAUSTED = "exhausted"  # no live beam can beat the worst found, whatever its length will be


@dataclass(frozen=True)
class Greedy:
    """The most probable token at every step."""


@dataclass(frozen=True)
class Beam:
    """The `beams` best beginnings at every step; outputs are ranked by Σ log p / length^α.

    α is `length_penalty`: 0 ranks by probability, more than 0 favours longer outputs. With
    `coverage_penalty` β, β·Σ_source log min(Σ_target attention, 1) is added where outputs are
    ranked (Wu et al. 2016, section 7). With `groups`, the beams are cut into as many groups that
    choose one after the other; a token costs `diversity` for each time that an earlier group chose
    it at this step (Vijayakumar et al. 2018).
    """

    beams: int = 4
    length_penalty: float = 1.0
    coverage_penalty: float = 0.0
    stopping: Stopping = Stopping.ATTAINABLE
    groups: int = 1
    diversity: float = 0.0

    def __post_init__(self) -> None:
        _at_least("beams", self.beams, 1)
        _at_least("groups", self.groups, 1)
        if self.beams % self.groups:
            raise GenerationError(
                f"beams={self.beams} cannot be cut into groups={self.groups}; choose a multiple"
            )
        for name in ("coverage_penalty", "diversity"):
            _at_least(name, getattr(self, name), 0)
        for name in ("length_penalty", "coverage_penalty", "diversity"):
            _finite(name, getattr(self, name))
        if self.diversity and self.groups == 1:
            raise GenerationError(
                f"diversity={self.diversity} needs several groups; choose groups such as 2"
            )


@dataclass(frozen=True)
class Sample:
    """A token drawn by its probability, after those that are unlikely are left out.

    In this order: probabilities to the power of 1/`temperature`; the `top_k` most probable; the
    fewest that hold `top_p` together (Holtzman et al. 2020); those of at least `min_p` times the
    most probable (Nguyen et al. 2024); the fewest, nearest to the expected information, that hold
    `typical_p` together (Meister et al. 2023).
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            remedy = "Greedy() takes the most probable token" if self.temperature == 0 else "1.0"
            raise GenerationError(
                f"temperature={self.temperature} is not above 0; choose such as 0.7, or {remedy}"
            )
        if self.top_k is not None:
            _at_least("top_k", self.top_k, 1)
        for name in ("top_p", "typical_p"):
            if not 0 < getattr(self, name) <= 1:
                raise GenerationError(
                    f"{name}={getattr(self, name)} is outside 0 to 1; choose such as 0.9"
                )
        if not 0 <= self.min_p < 1:
            raise GenerationError(f"min_p={self.min_p} is outside 0 to 1; choose such as 0.05")


Strategy = Greedy | Beam | Sample


@dataclass(frozen=True)
class Settings:
    """What every output keeps to, and how it is searched for.

    Attributes:
        strategy: How tokens are chosen.
        n_best: How many outputs to return: at most as many as there are beams; or samples.
        max_tokens: The most tokens of an output; the one that ends it counts, the prefix too.
        min_tokens: The fewest tokens before one that ends.
        repetition_penalty: Logits of tokens that are there already, in prompt or output, are
            divided by it where positive, else multiplied (Keskar et al. 2019); 1 for none.
        no_repeat_ngram: No run of so many tokens occurs twice in prompt and output, unless it is
            required and there is no room left; 0: any may.
        banned: Phrases that no output holds.
        required: Phrases that every output holds, unless a string stops it before.
        vocabulary: The only tokens that may be written, besides those that end; None for all.
        prefix: How every output begins.
        stop: Strings after which an output ends, whatever else is still to come.
        seed: Of samples: the same request with the same seed gets the same output in any batch.

    Raises:
        GenerationError: A setting is out of range, or no output could keep to all of them.
    """

    strategy: Strategy = Greedy()
    n_best: int = 1
    max_tokens: int = 256
    min_tokens: int = 0
    repetition_penalty: float = 1.0
    no_repeat_ngram: int = 0
    banned: tuple[Phrase, ...] = ()
    required: tuple[Phrase, ...] = ()
    vocabulary: frozenset[int] | None = None
    prefix: Phrase = ()
    stop: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        _at_least("n_best", self.n_best, 1)
        _at_least("max_tokens", self.max_tokens, 1)
        _at_least("min_tokens", self.min_tokens, 0)
        _at_least("no_repeat_ngram", self.no_repeat_ngram, 0)
        _finite("repetition_penalty", self.repetition_penalty)
        if self.repetition_penalty <= 0:
            raise GenerationError(
                f"repetition_penalty={self.repetition_penalty} is not above 0; 1 means none"
            )
        if self.min_tokens > self.max_tokens:
            raise GenerationError(
                f"min_tokens={self.min_tokens} exceeds max_tokens={self.max_tokens}; lower it"
            )
        self._check_outputs()
        self._check_kinds()
        self._check_phrases()

    @property
    def width(self) -> int:
        """How many sequences a request has at most in work at once."""
        return self.strategy.beams if isinstance(self.strategy, Beam) else self.n_best

    def _check_outputs(self) -> None:
        if isinstance(self.strategy, Greedy) and self.n_best > 1:
            raise GenerationError(
                f"n_best={self.n_best}, but greedy search finds 1 output; choose Beam or Sample"
            )
        if isinstance(self.strategy, Beam) and self.n_best > self.strategy.beams:
            raise GenerationError(
                f"n_best={self.n_best} exceeds beams={self.strategy.beams}; choose more beams"
            )

    def _check_kinds(self) -> None:
        """Refuse what would go through as something else: a list, or a single string."""
        for name, phrases in (
            ("banned", self.banned),
            ("required", self.required),
            ("prefix", (self.prefix,)),
        ):
            for phrase in phrases:
                if not isinstance(phrase, tuple):
                    raise GenerationError(f"{name} holds {phrase!r}; a phrase is a tuple of tokens")
        if isinstance(self.stop, str):
            raise GenerationError(f"stop={self.stop!r} is a string; give a tuple of strings")

    def _check_phrases(self) -> None:
        for name in ("banned", "required"):
            if not all(getattr(self, name)):
                raise GenerationError(f"{name} holds an empty phrase; leave it out")
        if any(not text for text in self.stop):
            raise GenerationError("stop holds an empty string; leave it out")
        needed = len(self.prefix) + max(1, need(self.prefix, self.required, ()).least)
        if needed > self.max_tokens:
            raise GenerationError(
                f"prefix and required phrases leave no room in max_tokens={self.max_tokens}; "
                f"choose at least {needed}"
            )
        for phrase in (*self.required, self.prefix):
            for ban in self.banned:
                if holds(phrase, ban):
                    raise GenerationError(
                        f"the phrase {phrase} is required and holds {ban}, which is banned; "
                        "leave one of them out"
                    )
            outside = None if self.vocabulary is None else set(phrase) - self.vocabulary
            if outside:
                raise GenerationError(
                    f"the phrase {phrase} is required, but {min(outside)} is not in the vocabulary "
                    "that may be written; add it"
                )


def _finite(name: str, value: float) -> None:
    if not math.isfinite(value):
        raise GenerationError(f"{name}={value} is not a finite number")


def _at_least(name: str, value: float, least: int) -> None:
    if not value >= least:
        raise GenerationError(f"{name}={value} is below {least}; choose at least {least}")
