"""Learning-rate schedules: pure functions of the step, so that a resumed run needs only its number.

Each schedule answers one question: by what factor is the recipe's learning rate (the peak)
multiplied at update `step`, counted from 0, in a run of `total_steps` updates?

        1 ┤      ╭╮                All of them rise linearly for `warmup_steps` updates, which
          │     ╱  ╲               run below the peak; update number `warmup_steps` is the
          │    ╱     ╲             first at the peak. No update is wasted on a factor of 0.
          │   ╱        ╲
          │  ╱           ╲
        0 ┼──┬───┬────────┬──
          0  warm-up      total
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from manyheads.errors import RecipeError

if TYPE_CHECKING:
    from manyheads.train.adamw import AdamW


@dataclass(frozen=True, slots=True)
class Constant:
    """The peak learning rate throughout, after the warm-up."""

    usual_warmup: ClassVar[float] = 0.0

    def factor(self, step: int, total_steps: int, warmup_steps: int = 0) -> float:
        """Return the share of the peak learning rate at `step` (0-based)."""
        return _rise(step, warmup_steps)


@dataclass(frozen=True, slots=True)
class Linear:
    """A straight line from the peak to `floor`, as BERT was trained (Devlin et al., 2019)."""

    floor: float = 0.0
    usual_warmup: ClassVar[float] = 0.1

    def __post_init__(self) -> None:
        _check_share("floor", self.floor)

    def factor(self, step: int, total_steps: int, warmup_steps: int = 0) -> float:
        """Return the share of the peak learning rate at `step` (0-based)."""
        if step < warmup_steps:
            return _rise(step, warmup_steps)
        return self.floor + (1 - self.floor) * (1 - _progress(step, total_steps, warmup_steps))


@dataclass(frozen=True, slots=True)
class Cosine:
    """Half a cosine wave from the peak to `floor` (Loshchilov & Hutter, 2017, without restarts)."""

    floor: float = 0.0
    usual_warmup: ClassVar[float] = 0.1

    def __post_init__(self) -> None:
        _check_share("floor", self.floor)

    def factor(self, step: int, total_steps: int, warmup_steps: int = 0) -> float:
        """Return the share of the peak learning rate at `step` (0-based)."""
        if step < warmup_steps:
            return _rise(step, warmup_steps)
        return _half_cosine(1.0, self.floor, _progress(step, total_steps, warmup_steps))


@dataclass(frozen=True, slots=True)
class InverseSquareRoot:
    """Decay with 1/√step, as the first Transformer was trained (Vaswani et al., 2017, eq. 3).

    The paper's factor d⁻⁰·⁵ · min(n⁻⁰·⁵, n · w⁻¹·⁵), scaled so that its peak, at n = w, is 1.
    """

    usual_warmup: ClassVar[float] = 0.1

    def factor(self, step: int, total_steps: int, warmup_steps: int = 0) -> float:
        """Return the share of the peak learning rate at `step` (0-based)."""
        n, w = step + 1, warmup_steps + 1
        return min(n / w, math.sqrt(w / n))


@dataclass(frozen=True, slots=True)
class OneCycle:
    """One rise and one longer fall, both half cosine waves, with momentum going the other way.

    Smith, "A disciplined approach to neural network hyper-parameters" (2018). The warm-up *is* the
    rise: it starts at 1/`start_divisor` of the peak; the fall ends at 1/`end_divisor` of that
    start. AdamW's first beta falls from `high_momentum` to `low_momentum` and comes back.
    """

    start_divisor: float = 25.0
    end_divisor: float = 10_000.0
    high_momentum: float = 0.95
    low_momentum: float = 0.85
    usual_warmup: ClassVar[float] = 0.3

    def __post_init__(self) -> None:
        for name in ("start_divisor", "end_divisor"):
            if not getattr(self, name) >= 1:
                raise RecipeError(f"{name}={getattr(self, name)} is below 1; choose ≥ 1")
        if not 0 <= self.low_momentum <= self.high_momentum < 1:
            raise RecipeError(
                f"low_momentum={self.low_momentum} and "
                f"high_momentum={self.high_momentum} must satisfy 0 ≤ low ≤ high < 1"
            )

    def factor(self, step: int, total_steps: int, warmup_steps: int = 0) -> float:
        """Return the share of the peak learning rate at `step` (0-based)."""
        start = 1 / self.start_divisor
        return self._cycle(step, total_steps, warmup_steps, start, 1.0, start / self.end_divisor)

    def momentum(self, step: int, total_steps: int, warmup_steps: int = 0) -> float:
        """Return AdamW's first beta at `step` (0-based): lowest where the rate is highest."""
        high, low = self.high_momentum, self.low_momentum
        return self._cycle(step, total_steps, warmup_steps, high, low, high)

    @staticmethod
    def _cycle(
        step: int, total_steps: int, warmup_steps: int, start: float, peak: float, end: float
    ) -> float:
        if step < warmup_steps:
            return _half_cosine(start, peak, step / warmup_steps)
        # The last update, not the one after it, sits at the end of the fall.
        last = max(total_steps - 1, warmup_steps + 1)
        return _half_cosine(peak, end, _progress(step, last, warmup_steps))


@dataclass(frozen=True, slots=True)
class SGDR:
    """`cycles` cosine waves with warm restarts, each `multiplier` times as long as the one before.

    Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017). The first
    cycle's length (the paper's T_0) follows from the run's, so that a run always ends with a
    finished cycle, at its lowest learning rate.
    """

    cycles: int = 3
    multiplier: float = 2.0
    floor: float = 0.0
    usual_warmup: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        if self.cycles < 1:
            raise RecipeError(f"cycles={self.cycles} is below 1; choose at least 1")
        if not self.multiplier >= 1:
            raise RecipeError(f"multiplier={self.multiplier} is below 1; choose ≥ 1")
        _check_share("floor", self.floor)

    def factor(self, step: int, total_steps: int, warmup_steps: int = 0) -> float:
        """Return the share of the peak learning rate at `step` (0-based)."""
        if step < warmup_steps:
            return _rise(step, warmup_steps)
        lengths = [self.multiplier**cycle for cycle in range(self.cycles)]
        position = _progress(step, total_steps, warmup_steps) * sum(lengths)
        for length in lengths[:-1]:
            # Rounding must not leave a restart one step late.
            if position < length * (1 - 1e-9):
                break
            position -= length
        else:
            length = lengths[-1]
        return _half_cosine(1.0, self.floor, min(1.0, max(0.0, position / length)))


Schedule = Constant | Linear | Cosine | OneCycle | InverseSquareRoot | SGDR


def apply(optimizer: AdamW, factor: float, momentum: float | None = None) -> None:
    """Set every group's learning rate to `factor` times its `base_lr`, and its first beta.

    `momentum=None` leaves the betas alone.
    """
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor
        if momentum is not None:
            group["betas"] = (momentum, group["betas"][1])


def _rise(step: int, warmup_steps: int) -> float:
    return min(1.0, (step + 1) / (warmup_steps + 1))


def _progress(step: int, total_steps: int, warmup_steps: int) -> float:
    """Return how much of the way from the warm-up's end to the run's end lies behind: 0 to 1."""
    remaining = max(1, total_steps - warmup_steps)
    return min(1.0, (step - warmup_steps) / remaining)


def _half_cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def _check_share(key: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise RecipeError(f"{key}={value} is not a share of the peak; choose from 0 to 1")
