"""How long a run still takes: its updates and validations, each as long as those behind."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

_SMOOTHING = 0.98  # of the seconds of an update, over some fifty of them


@dataclass
class Pace:
    """The clock of a run of so many `updates` and `validations`.

    `validation` is how long one is expected to take, until one was measured.
    """

    updates: int
    validations: int
    validation: float = 0.0
    done: int = 0
    validated: int = 0
    _update: float = 0.0
    _weight: float = 0.0
    _since: float = field(default_factory=time.perf_counter)

    def begin(self, done: int, validated: int) -> None:
        """Start the clock behind so many updates and validations."""
        self.done, self.validated = done, validated
        self._since = time.perf_counter()

    def end_update(self) -> None:
        """Count what went by since the last event as an update."""
        self.done += 1
        self._update = _SMOOTHING * self._update + self._lap()
        self._weight = _SMOOTHING * self._weight + 1.0

    def end_validation(self) -> None:
        """Count what went by since the last event as a validation."""
        self.validated += 1
        self.validation = self._lap()

    @property
    def left(self) -> float:
        """The seconds that are left of the run, validations included."""
        update = self._update / self._weight if self._weight else 0.0
        validations = max(0, self.validations - self.validated)
        return (self.updates - self.done) * update + validations * self.validation

    def _lap(self) -> float:
        before, self._since = self._since, time.perf_counter()
        return self._since - before


def spoken(seconds: float) -> str:
    """Return a span of time as people say it: ``40 s``, ``14 min``, ``3 h 5 min``."""
    if seconds < 99.5:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
