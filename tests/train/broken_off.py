"""Runs that are broken off, and how they are compared with those that were not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

import manyheads as mh
from manyheads.train.history import History
from manyheads.train.loop import Step
from manyheads.train.progress import Reporter


class Stopped(Exception):  # noqa: N818 - reads as what happened
    """The run was broken off."""


class Stopping(Reporter):
    """Breaks a run off in its update number `at`, or while it validates for the `during`th time."""

    def __init__(self, at: int = 0, during: int = 0) -> None:
        super().__init__(quiet=True)
        self.at = at
        self.during = during

    @contextmanager
    def steps(self, total: int, done: int) -> Iterator[Callable[[Step, float], None]]:
        def show(step: Step, left: float) -> None:
            if step.number == self.at:
                raise Stopped

        yield show

    @contextmanager
    def rows(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        self.during -= 1
        if self.during == 0:
            raise Stopped
        yield lambda rows: None


def break_off(trained: mh.Learner, resume: bool = False, at: int = 0, during: int = 0) -> None:
    trained.reporter = Stopping(at, during)
    with pytest.raises(Stopped):
        trained.fit(resume=resume)


def facts(history: History) -> dict[str, Any]:
    """All that happened, but for how long it took."""
    document = history.to_json()
    for step in document["steps"]:
        del step["seconds"]
    return document


def assert_same(one: mh.Learner, other: mh.Learner) -> None:
    ours, theirs = one.model.state_dict(), other.model.state_dict()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    assert facts(one.history) == facts(other.history)
