"""Training as a generator of steps: whoever iterates decides when to stop, save or look."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.amp import GradScaler

from manyheads.errors import TrainingError, is_out_of_memory
from manyheads.tasks import Minibatch, Trainable
from manyheads.tasks.task import device_of
from manyheads.train.adamw import AdamW
from manyheads.train.precision import MixedPrecision
from manyheads.train.schedule import OneCycle, Schedule, apply

# Draws the update whose memory ran out once more, in smaller batches.
Smaller = Callable[[], Sequence[Minibatch]]


@dataclass(frozen=True, slots=True)
class Step:
    """One update of the weights: the loss of an average example or token, the time it took."""

    number: int
    loss: float
    learning_rate: float
    gradient_norm: float
    examples: int
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The learning rate over a whole run."""

    schedule: Schedule
    total_steps: int
    warmup_steps: int

    def set(self, optimizer: AdamW, step: int) -> None:
        """Set learning rates (and one-cycle's momentum) for the update number `step`, from 0."""
        at = (step, self.total_steps, self.warmup_steps)
        momentum = self.schedule.momentum(*at) if isinstance(self.schedule, OneCycle) else None
        apply(optimizer, self.schedule.factor(*at), momentum)


def train(
    model: nn.Module,
    task: Trainable,
    updates: Iterable[Sequence[Minibatch]],
    optimizer: AdamW,
    set_rate: Callable[[AdamW, int], None],
    *,
    precision: MixedPrecision,
    scaler: GradScaler,
    clip_norm: float | None = None,
    first_step: int = 0,
    describe: Callable[[int], str] = "example {}".format,
    smaller: Smaller | None = None,
) -> Iterator[Step]:
    """Update the weights once for each group of batches, and yield what happened.

    The gradient is that of the mean over all examples (or tokens) of the group, however they are
    spread over its batches. The step is complete when it is yielded. Where memory runs out, the
    group is computed again as `smaller` gives it, or the error is raised. Raises `TrainingError`
    naming the rows of the group whose loss or gradient is not a number; the weights are then those
    before the step.
    """
    model.zero_grad(set_to_none=True)  # of what a run that failed may have left behind
    for step, group in enumerate(updates, start=first_step):
        begun = time.perf_counter()
        model.train()
        set_rate(optimizer, step)
        while (loss := _gradient_in_memory(model, task, group, precision, scaler, smaller)) is None:
            assert smaller is not None
            model.zero_grad(set_to_none=True)  # of the batches that did fit
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            group = smaller()
        norm = _unscaled_norm(model, optimizer, scaler, clip_norm)
        if not math.isfinite(loss) or not (math.isfinite(norm) or scaler.is_enabled()):
            raise TrainingError(_why_not_a_number(step, loss, norm, optimizer, group, describe))
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        yield Step(
            number=step + 1,
            loss=loss,
            learning_rate=max(float(group["lr"]) for group in optimizer.param_groups),
            gradient_norm=norm,
            examples=sum(len(batch) for batch in group),
            tokens=sum(batch.tokens for batch in group),
            seconds=time.perf_counter() - begun,
        )


def _gradient_in_memory(
    model: nn.Module,
    task: Trainable,
    group: Sequence[Minibatch],
    precision: MixedPrecision,
    scaler: GradScaler,
    smaller: Smaller | None,
) -> float | None:
    """Do what `accumulate_gradient` does; return None where memory runs out and less can be had.

    What the pass held is free when this returns: an error that is handled keeps its frames.
    """
    try:
        return accumulate_gradient(model, task, group, precision, scaler)
    except (RuntimeError, MemoryError) as error:
        if smaller is None or not is_out_of_memory(error):
            raise
    return None


def accumulate_gradient(
    model: nn.Module,
    task: Trainable,
    group: Sequence[Minibatch],
    precision: MixedPrecision,
    scaler: GradScaler,
) -> float:
    """Add the gradient of the group's mean loss to the parameters; return that loss."""
    total, weight, device = 0.0, 0.0, device_of(model)
    for batch in group:
        batch = batch.to(device)
        with precision.autocast():
            loss = task.loss(model, batch)
        # Sums now, one division at the end: the weight of later batches is not known yet.
        scaler.scale(loss.mean if len(group) == 1 else loss.total).backward()
        total += float(loss.total.detach())
        weight += loss.weight
    if len(group) > 1:
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        torch._foreach_mul_(gradients, 1.0 / weight)
    return total / weight


def _unscaled_norm(
    model: nn.Module, optimizer: AdamW, scaler: GradScaler, clip_norm: float | None
) -> float:
    """Return the norm of the gradient, clipped to `clip_norm` where one is given."""
    scaler.unscale_(optimizer)
    limit = math.inf if clip_norm is None else clip_norm
    parameters: list[Tensor] = [p for p in model.parameters() if p.grad is not None]
    if math.isinf(limit):
        return float(nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None]))
    return float(nn.utils.clip_grad_norm_(parameters, limit))


def _why_not_a_number(
    step: int,
    loss: float,
    norm: float,
    optimizer: AdamW,
    group: Sequence[Minibatch],
    describe: Callable[[int], str],
) -> str:
    rows = [row for batch in group for row in batch.rows]
    shown = "; ".join(describe(row) for row in rows[:8])
    more = f" and {len(rows) - 8} more" if len(rows) > 8 else ""
    rate = max(float(group["lr"]) for group in optimizer.param_groups)
    return (
        f"step {step + 1}: the loss is {loss:g} and the gradient norm {norm:g} at learning rate "
        f"{rate:.3g}; the batch holds {shown}{more}. Lower learning_rate or set clip_norm"
    )
