"""A learning rate found by short runs, which are judged on what they have not learnt from.

Every probe begins at the same weights, sees the same batches and goes through a whole schedule,
warm-up and decay included, at one rate of a grid. Successive halving (Jamieson & Talwalkar 2016),
by thirds, spends the updates where they tell most: the best third of the rates begins again, for
three times as long, until three or fewer are left.

    7 rates × n updates ─→ the best 3 × 3n ─→ the best one

A few updates at a high rate make a classifier surer of its mistakes before they make it better, so
that a loss which counts how sure it is would always choose a low one. Where a temperature mends
that (Guo et al. 2017), probes are judged by what is left at the best one (`Tempered`).

A run is longer than its probes. From scratch, the longer it is the lower is its best rate, by the
power -0.32 of its length (Bjorck et al. 2024, "Scaling Optimal LR Across Token Horizons"); in
fine-tuning it is not, and the best rate is suggested as it is unless `fall` says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import torch

from manyheads.errors import RecipeError, TrainingError
from manyheads.tasks import Minibatch, Sample, Tempered
from manyheads.tasks.task import device_of
from manyheads.train.draws import drawn
from manyheads.train.epochs import epochs_of
from manyheads.train.fitting import Fitting
from manyheads.train.loop import Plan, train
from manyheads.train.optim import build_optimizer
from manyheads.train.rates.lr_finder import RangeTest
from manyheads.train.rates.trial import unchanged
from manyheads.train.report.plots import draw_probes

_KEPT = 3  # one of so many rates goes on, for so many times as long
_FEWEST = 20  # samples, or rows, of which some can be held out


@dataclass(frozen=True)
class RateProbes:
    """Which rates are tried, and for how long.

    All probes together make `share` of the updates of the run that the rate is for, but none of
    them fewer than `shortest`. They are judged by the loss of at most `held_out` samples. The run's
    rate is lower than that of the best probe by a power, `fall`, of how much longer the run is: 0
    for fine-tuning, 0.32 for a model from scratch.
    """

    rates: tuple[float, ...] = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
    share: float = 0.5
    shortest: int = 7
    held_out: int = 512
    fall: float = 0.0

    def __post_init__(self) -> None:
        if len(self.rates) < 2 or not all(0 < rate < math.inf for rate in self.rates):
            raise RecipeError(f"rates={self.rates} are no choice; give two or more above 0")
        for name in ("share", "shortest", "held_out"):
            if not getattr(self, name) > 0:
                raise RecipeError(f"{name}={getattr(self, name)} is not above 0")
        if not 0 <= self.fall <= 1:
            raise RecipeError(f"fall={self.fall} is outside 0 to 1")

    @property
    def rounds(self) -> list[int]:
        """How many rates each round has."""
        rounds = [len(self.rates)]
        while rounds[-1] > _KEPT:
            rounds.append(math.ceil(rounds[-1] / _KEPT))
        return rounds

    @property
    def weight(self) -> int:
        """How many times as many updates all probes make as one of the first round."""
        return sum(rates * _KEPT**number for number, rates in enumerate(self.rounds))

    def first_steps(self, run_steps: int) -> int:
        """Return the updates of a probe of the first round, for a run of so many updates."""
        return max(self.shortest, int(self.share * run_steps / self.weight))


Search = RateProbes | RangeTest


@dataclass(frozen=True)
class Probe:
    """One short run: its rate, its updates, and the held-out loss it came to (∞: it diverged)."""

    rate: float
    steps: int
    loss: float


@dataclass(frozen=True)
class ProbedRates:
    """What the probes came to, and the rate that follows for a run of `run_steps` updates.

    It is lower than that of the best probe by the power `fall` of how much longer the run is.
    """

    probes: tuple[Probe, ...]
    run_steps: int
    fall: float = 0.0

    @property
    def best(self) -> Probe:
        """The one of the lowest loss among the longest."""
        longest = max(probe.steps for probe in self.probes)
        last = [probe for probe in self.probes if probe.steps == longest]
        return min(last, key=lambda probe: probe.loss)

    @property
    def suggestion(self) -> float:
        """The rate of the best probe, lowered by the length of the run, to one digit."""
        length = max(1.0, self.run_steps / self.best.steps)
        return float(f"{self.best.rate * length**-self.fall:.0e}")

    @property
    def rates(self) -> tuple[float, ...]:
        """All rates that were tried, the lowest first."""
        return tuple(sorted({probe.rate for probe in self.probes}))

    @property
    def losses(self) -> tuple[float, ...]:
        """The loss of each rate's longest probe."""
        found = {probe.rate: probe.loss for probe in sorted(self.probes, key=lambda p: p.steps)}
        return tuple(found[rate] for rate in self.rates)

    @property
    def steps(self) -> int:
        """The updates of all probes together."""
        return sum(probe.steps for probe in self.probes)

    def rounds(self) -> dict[int, dict[float, float]]:
        """Return the loss of each rate, by the updates of the probes."""
        found: dict[int, dict[float, float]] = {}
        for probe in self.probes:
            found.setdefault(probe.steps, {})[probe.rate] = probe.loss
        return found

    def __str__(self) -> str:
        rounds = self.rounds()
        lines = ["held-out loss after" + "".join(f"{steps:>8}" for steps in rounds) + " updates"]
        for rate in self.rates:
            cells = (f"{one[rate]:.4f}" if rate in one else "" for one in rounds.values())
            lines.append(f"{f'{rate:.0e}':<19}" + "".join(f"{cell:>8}" for cell in cells).rstrip())
        share = self.steps / self.run_steps
        lines.append(
            f"suggested learning rate {self.suggestion:.0e} for {self.run_steps:,} updates "
            f"(found by {self.steps:,}, {share:.2f} times as many)"
        )
        return "\n".join(lines)

    def draw(self, path: str | Path) -> Path:
        """Save the losses over the rates as a picture, a line for each round."""
        draw_probes(self.rounds(), self.suggestion, path)
        return Path(path)

    def to_json(self) -> dict[str, Any]:
        """Return the probes and the suggestion as JSON; the loss of one that diverged is null."""
        return {
            "suggestion": self.suggestion,
            "rates": list(self.rates),
            "losses": [_finite(loss) for loss in self.losses],
            "probes": [
                {"rate": one.rate, "steps": one.steps, "loss": _finite(one.loss)}
                for one in self.probes
            ],
            "steps": self.steps,
            "run_steps": self.run_steps,
        }


def probe_rates(fitting: Fitting, held_out: Sequence[Sample], search: RateProbes) -> ProbedRates:
    """Try the rates in the place of the recipe's, and put everything back.

    Without held-out samples, those of a tenth of the rows are not learnt from. Raises
    `TrainingError` where all rates diverge, `RecipeError` for too few samples.
    """
    if not held_out:
        learnt, held_out = held_apart(fitting.examples, fitting.recipe.seed)
        fitting = replace(fitting, examples=learnt)
    steps, run_steps = search.first_steps(fitting.plan.total_steps), fitting.plan.total_steps
    held_out = drawn(held_out, search.held_out, f"held out {fitting.recipe.seed}")
    rates, probes = search.rates, list[Probe]()
    watched = fitting.reporter.rows("trying learning rates", steps * search.weight)
    with unchanged(fitting.model), watched as advance:
        fitting.begin()
        prober = _Prober(fitting, held_out, advance)
        for count in search.rounds:
            rates = rates[:count]
            found = [prober.probe(rate, steps) for rate in rates]
            found.sort(key=lambda probe: probe.loss)
            rates = tuple(probe.rate for probe in found)
            probes += found
            steps *= _KEPT
    if all(math.isinf(probe.loss) for probe in probes):
        raise TrainingError(
            f"all rates from {min(search.rates):.0e} to {max(search.rates):.0e} diverged; check "
            "the labels, set clip_norm, or try lower rates"
        )
    return ProbedRates(tuple(probes), run_steps, search.fall)


class _Prober:
    """Trains from the weights that the model has now, again and again."""

    def __init__(
        self, fitting: Fitting, held_out: Sequence[Sample], advance: Callable[[int], None]
    ) -> None:
        self.fitting = fitting
        self.advance = advance
        self.start = {n: t.clone() for n, t in fitting.model.state_dict().items()}
        device = device_of(fitting.model)
        self.batches = [batch.to(device) for batch in _laid_out(fitting, held_out)]

    def probe(self, rate: float, steps: int) -> Probe:
        """Return what so many updates at a rate come to, in a schedule of their own."""
        fitting = self.fitting
        fitting.model.load_state_dict(self.start)
        torch.manual_seed(fitting.recipe.seed)
        warmup = round(steps * fitting.plan.warmup_steps / fitting.plan.total_steps)
        try:
            for _ in train(
                fitting.model,
                fitting.task,
                fitting.first_batches(steps),
                build_optimizer(
                    fitting.model, fitting.recipe.model_copy(update={"learning_rate": rate})
                ),
                Plan(fitting.recipe.schedule, steps, warmup).set,
                precision=fitting.precision,
                scaler=fitting.precision.scaler(),
                clip_norm=fitting.recipe.clip_norm,
                smaller=fitting.portions.smaller,
            ):
                self.advance(1)
        except TrainingError:
            return Probe(rate, steps, math.inf)
        return Probe(rate, steps, self._held_out_loss())

    @torch.inference_mode()
    def _held_out_loss(self) -> float:
        model, task = self.fitting.model.eval(), self.fitting.task
        if isinstance(task, Tempered):
            mean = task.tempered_loss(model, self.batches)
        else:
            losses = [task.loss(model, batch) for batch in self.batches]
            mean = sum(float(one.total) for one in losses) / sum(one.weight for one in losses)
        return mean if math.isfinite(mean) else math.inf


def _laid_out(fitting: Fitting, samples: Sequence[Sample]) -> list[Minibatch]:
    """Return batches as the run has them."""
    epochs = epochs_of(fitting.task, samples, fitting.recipe)
    return [fitting.task.collate([samples[i] for i in one]) for one in epochs.batches(0)]


def held_apart(samples: Sequence[Sample], seed: int) -> tuple[list[Sample], list[Sample]]:
    """Return samples to learn from, and those of a tenth of the rows.

    Raises `RecipeError` for fewer than 20 samples.
    """
    if len(samples) < _FEWEST:
        raise RecipeError(
            f"{len(samples)} samples are too few to hold any of them out; give a validation "
            "split, or choose RangeTest()"
        )
    owners = [sample.row for sample in samples]
    if len(set(owners)) < _FEWEST:  # one stream, or few long texts
        owners = list(range(len(samples)))
    rows = sorted(set(owners))
    apart = set(Random(f"held apart {seed}").sample(rows, len(rows) // 10))
    return (
        [one for owner, one in zip(owners, samples, strict=True) if owner not in apart],
        [one for owner, one in zip(owners, samples, strict=True) if owner in apart],
    )


def _finite(loss: float) -> float | None:
    return loss if math.isfinite(loss) else None
