"""What a service is asked: items, each a text that one worker answers in one go."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

import numpy as np

from manyheads.serve.notes import Notes, notes
from manyheads.text import Encoded

Outcome = TypeVar("Outcome")


class Lane(Enum):
    """Who is waiting: a person, or a program that does many."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


@dataclass(frozen=True)
class Operation:
    """What a worker is to do; items of equal operations share a batch.

    `name` is what the worker knows it by, `settings` are its own.
    """

    name: str
    settings: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Question:
    """One text as tokens, and what to do with it; `text` is for who needs its characters too.

    So is `pair`, the second text of a pair.
    """

    operation: Operation
    encoded: Encoded
    text: str | None = None
    pair: str | None = None

    @property
    def tokens(self) -> int:
        """How many tokens a worker reads of it."""
        return sum(len(piece.ids) for piece in self.encoded.pieces)


@dataclass(frozen=True)
class Answer:
    """What a worker says of one item: something as JSON, and numbers."""

    said: Any
    arrays: Sequence[np.ndarray] = ()


@dataclass(eq=False)
class Waiting(Generic[Outcome]):
    """What waits for an answer, or is in work.

    `since` is when it came, by the monotonic clock (the loop's own may stand still for a whole
    millisecond); `crashes` counts the workers that died over it; `notes` are those of the request
    that it is a part of.
    """

    lane: Lane
    since: float
    answer: asyncio.Future[Outcome] = field(repr=False)
    crashes: int = field(default=0, kw_only=True)
    notes: Notes = field(default_factory=notes, kw_only=True, repr=False)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody still waits for its answer."""
        return not self.answer.done()


@dataclass(eq=False)
class Item(Waiting[Answer]):
    """A question that waits, or is in work."""

    question: Question

    @property
    def tokens(self) -> int:
        """How many tokens a worker reads of it."""
        return self.question.tokens
