"""What a run takes at its peak, by what takes it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

_ALLOCATOR = 1.1  # bytes of the system for a byte of a tensor
_RUNNING = 100 * 10**6  # bytes that libraries take for themselves once they are at work
_UNITS = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes that a run takes at its peak; print it.

    `held` is what the process, or the device, holds before: weights, data, libraries. What is
    `kept` for gradients, the `scores` of attention and what is `working` for a moment belong to the
    largest pass: `tokens` tokens in `sequences` sequences, the `longest` among them; a whole batch,
    or a `part` of at most so many tokens. `limit` is what there is, None where nobody says.
    """

    held: int
    optimizer: int
    averages: int
    best: int
    gradients: int
    kept: int
    scores: int
    working: int
    tokens: int
    sequences: int
    longest: int
    part: int | None
    limit: int | None

    @property
    def peak(self) -> int:
        """All of it together."""
        return self.held + sum(bytes_ for _, bytes_ in self._rows())

    @property
    def whole(self) -> bool:
        """Whether batches are computed whole."""
        return self.part is None

    @property
    def fits(self) -> bool:
        """Whether the peak is within the limit, where there is one."""
        return self.limit is None or self.peak <= self.limit

    @property
    def tensors(self) -> int:
        """What the run's own tensors hold at the peak."""
        return sum(self._tensors().values())

    def _tensors(self) -> dict[str, int]:
        return {
            "optimizer": self.optimizer,
            "averages of weights": self.averages,
            "best weights so far": self.best,
            "gradients": self.gradients,
            "kept for gradients": self.kept,
            "attention scores": self.scores,
            "computing gradients": self.working,
        }

    def _rows(self) -> list[tuple[str, int]]:
        sizes = [(name, int(_ALLOCATOR * bytes_)) for name, bytes_ in self._tensors().items()]
        return [*sizes, ("libraries at work", _RUNNING)]

    def __str__(self) -> str:
        lines = [f"{'held before the run':<22}{readable(self.held):>10}"]
        lines += [f"{name:<22}{readable(size):>10}" for name, size in self._rows() if size]
        lines.append(f"{'peak':<22}{readable(self.peak):>10}" + self._of_limit())
        what = "batch" if self.whole else "part of a batch"
        lines.append(
            f"largest {what}: {self.tokens:,} tokens in {self.sequences:,} sequences, "
            f"the longest of {self.longest:,}"
        )
        return "\n".join(lines)

    @property
    def line(self) -> str:
        """What was chosen, in a line."""
        how = (
            "batches are computed whole"
            if self.part is None
            else f"batches are computed in parts of at most {self.part:,} tokens"
        )
        return f"memory: {how}, {readable(self.peak)}{self._of_limit()} predicted"

    def _of_limit(self) -> str:
        if self.limit is None:
            return ""
        return f" of {readable(self.limit)}" + ("" if self.fits else ", which is too little")

    def to_json(self) -> dict[str, Any]:
        """Return all bytes as JSON."""
        return {**asdict(self), "peak": self.peak, "fits": self.fits}


def readable(size: int) -> str:
    """Return a number of bytes with its unit."""
    for unit, bytes_ in _UNITS:
        if size >= bytes_:
            return f"{size / bytes_:.2f} {unit}"
    return f"{size} B"
