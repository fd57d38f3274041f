"""What happens in a run, told to those who keep the curves of many runs: `Tracker`s.

They look on: one that fails is left out from then on, with a warning, and training goes on.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from manyheads.train.history import History, Validation
from manyheads.train.loop import Step


class TrackerWarning(UserWarning):
    """A tracker failed, and hears nothing more of the run."""


class Outcome(Enum):
    """How training ended."""

    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # by Ctrl-C


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run before it begins: the whole recipe, and how many rows are in a split.

    `folder` is where the run keeps what it needs to go on after it was stopped, if it does.
    """

    task: str
    model: Mapping[str, Any]
    recipe: Mapping[str, Any]
    rows: Mapping[str, int]
    folder: Path | None = None


class Tracker(Protocol):
    """Keeps what happens in runs; any exception that it raises is its end, not the run's."""

    def begin(self, facts: RunFacts, done: History) -> None:
        """Begin a run, or go on with the one of the same folder, of which `done` lies behind.

        What it knows of what comes after that is told again, as it was.
        """

    def step(self, step: Step) -> None:
        """Keep an update of the weights."""

    def validation(self, validation: Validation) -> None:
        """Keep the scores on the validation split."""

    def end(self, outcome: Outcome) -> None:
        """Training is over."""

    def evaluation(self, split: str, scores: Mapping[str, float]) -> None:
        """Keep what the trained model reaches on a split; training is over already."""


class Tracked:
    """A run with all who track it."""

    def __init__(self, trackers: Sequence[Tracker] = (), facts: RunFacts | None = None) -> None:
        self._trackers = list(trackers)
        self._facts = facts

    @contextmanager
    def training(self, done: History) -> Iterator[None]:
        """Tell that training begins, behind what is done already, and how the block ended."""
        facts = self._facts
        if facts is not None:
            self._tell(lambda tracker: tracker.begin(facts, done))
        outcome = Outcome.FAILED
        try:
            yield
            outcome = Outcome.FINISHED
        except KeyboardInterrupt:
            outcome = Outcome.INTERRUPTED
            raise
        finally:
            self._tell(lambda tracker: tracker.end(outcome))

    def step(self, step: Step) -> None:
        """Tell of an update of the weights."""
        self._tell(lambda tracker: tracker.step(step))

    def validation(self, validation: Validation) -> None:
        """Tell of the scores on the validation split."""
        self._tell(lambda tracker: tracker.validation(validation))

    def evaluation(self, split: str, scores: Mapping[str, float]) -> None:
        """Tell what the trained model reaches on a split."""
        self._tell(lambda tracker: tracker.evaluation(split, scores))

    def _tell(self, news: Callable[[Tracker], None]) -> None:
        for tracker in list(self._trackers):
            try:
                news(tracker)
            except Exception as error:
                self._trackers.remove(tracker)
                reason = " ".join(str(error).split()) or type(error).__name__
                warnings.warn(
                    f"{type(tracker).__name__} failed and tracks this run no more: {reason:.300}",
                    TrackerWarning,
                    stacklevel=2,
                )
