"""How long a run will take, from a few of its own batches, before it begins.

A batch's forward and backward pass is measured, and an update of copies of some weights; the run
itself is as it would be without: no weight, no moment and no random generator is touched.

Operations are those of the matrix products, a multiplication and an addition each, as in Chowdhery
et al. 2022 (PaLM, appendix B): for each token 2 N forward and 4 N backward, N weights without the
tables of embeddings, and 12 · layers · heads · head size · length for attention. Weights that do
not learn need no gradient of their own, 2 N less; recomputed blocks take 2 N more.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

import torch
from torch import nn

from manyheads.core.transformer import Transformer
from manyheads.data import Split
from manyheads.tasks import Minibatch, Task
from manyheads.tasks.task import device_of
from manyheads.train.adamw import AdamW
from manyheads.train.fitting import Fitting
from manyheads.train.loop import accumulate_gradient
from manyheads.train.pace import spoken
from manyheads.train.progress import Reporter
from manyheads.train.report.evaluation import evaluate
from manyheads.train.settings import Activations
from manyheads.train.state import pack_random, unpack_random

_PROBES = 3  # updates that are measured, behind one that is not
_MOST_SECONDS = 5.0
_VALIDATED = 32  # rows
_TABLE = re.compile(r"\bembed\.(tokens|positions|segments)\b")
_COPIED = 4_000_000  # weights of which an optimizer's step is measured


@dataclass(frozen=True)
class Estimate:
    """What a run will take on this machine, if nothing stops it early."""

    seconds: float
    updates: int
    tokens_per_epoch: int
    tokens_per_second: float
    validation_seconds: float  # of one validation
    operations: float  # floating-point operations of all updates

    def __str__(self) -> str:
        return (
            f"about {spoken(self.seconds)} on this machine: {self.updates:,} updates, "
            f"{_rounded(self.tokens_per_epoch)} tokens an epoch, "
            f"{self.tokens_per_second:,.0f} tokens/s, "
            f"{self.operations:.1e} floating-point operations"
        )

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return asdict(self)


def estimate(fitting: Fitting, validate: Callable[[], float] | None = None) -> Estimate:
    """Measure a few batches of a run that has not begun, and say how long it will take.

    `validate` measures a validation and returns its seconds. The model, the optimizer and the
    random generators are afterwards as they were.
    """
    epochs, recipe = fitting.epochs, fitting.recipe
    with untouched(fitting.model):
        tokens, seconds = _measure(fitting)
        update = _update_seconds(fitting.optimizer)
        validation = validate() if validate is not None else 0.0
    lengths = epochs.lengths
    rate = tokens / seconds
    training = sum(lengths) * recipe.epochs / rate + epochs.total_steps * update
    return Estimate(
        seconds=training + ceil(recipe.epochs) * validation,
        updates=epochs.total_steps,
        tokens_per_epoch=sum(lengths),
        tokens_per_second=sum(lengths) * recipe.epochs / training,
        validation_seconds=validation,
        operations=operations(fitting.model, lengths, recipe.activations) * recipe.epochs,
    )


def validation_seconds(task: Task, model: nn.Module, reader: Any, split: Split) -> float:
    """Return how long a validation on a split takes, measured on some of its rows."""
    few = split.take(range(min(_VALIDATED, len(split))))
    samples = task.read(reader, few.columns, few.describe)
    begun = _now(device_of(model))
    evaluate(task, model, reader, samples, few, Reporter(quiet=True), "validating")
    return (_now(device_of(model)) - begun) * len(split) / len(few)


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Leave gradients, mode and random generators behind as they were before the block."""
    tensors, generators = pack_random()
    was_training = model.training
    try:
        yield
    finally:
        model.zero_grad(set_to_none=True)
        model.train(was_training)
        unpack_random(tensors, generators)


def operations(model: nn.Module, lengths: Sequence[int], activations: Activations) -> float:
    """Return the floating-point operations of an epoch over sequences of these lengths."""
    products = [w for n, w in model.named_parameters() if w.dim() > 1 and not _TABLE.search(n)]
    weights = sum(w.numel() for w in products)
    learning = sum(w.numel() for w in products if w.requires_grad)
    again = 1 if activations is Activations.RECOMPUTE else 0
    attention = 4 * _attention_width(model) * (3 + again)
    linear = 4 * weights + 2 * learning + 2 * again * weights
    return float(sum(linear * n + attention * n * n for n in lengths))


def _attention_width(model: nn.Module) -> int:
    """Return heads times head size, summed over all layers."""
    bodies = [module for module in model.modules() if isinstance(module, Transformer)]
    stacks = [stack for one in bodies for stack in (one.spec.encoder, one.spec.decoder) if stack]
    attentions = [block.attention for stack in stacks for block in stack.blocks]
    return sum(one.heads * one.head_dim for one in attentions)


def _measure(fitting: Fitting) -> tuple[int, float]:
    """Return the tokens of a few updates, and the seconds of their gradients."""
    updates = min(_PROBES + 1, fitting.epochs.total_steps)
    scaler = fitting.precision.scaler()
    device = device_of(fitting.model)
    tokens, seconds, begun = 0, 0.0, time.perf_counter()
    fitting.model.train()
    for number, group in enumerate(fitting.first_batches(updates)):
        fitting.model.zero_grad(set_to_none=True)
        lap = _now(device)
        accumulate_gradient(fitting.model, fitting.task, group, fitting.precision, scaler)
        lap = _now(device) - lap
        if number <= 1:  # the first one takes longer: kernels are chosen, memory is claimed
            tokens, seconds = 0, 0.0
        tokens, seconds = tokens + _tokens(group), seconds + lap
        if time.perf_counter() - begun > _MOST_SECONDS:
            break
    return tokens, seconds


def _tokens(group: Sequence[Minibatch]) -> int:
    return sum(batch.tokens for batch in group)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _update_seconds(optimizer: AdamW) -> float:
    """Return how long an update of the optimizer's weights takes, measured on copies of some."""
    copied: list[nn.Parameter] = []
    total = sum(w.numel() for w in optimizer.parameters)
    for weights in optimizer.parameters:
        if sum(w.numel() for w in copied) >= _COPIED:
            break
        copy = nn.Parameter(torch.zeros_like(weights))
        copy.grad = torch.zeros_like(weights)
        copied.append(copy)
    settings = {**optimizer.param_groups[0], "params": copied}
    trial, device = AdamW([settings]), copied[0].device
    trial.step()
    begun = _now(device)
    trial.step()
    return (_now(device) - begun) * total / sum(w.numel() for w in copied)


def _rounded(number: int) -> str:
    """Return a large number in millions or thousands."""
    if number >= 1_000_000:
        return f"{number / 1e6:.1f} M"
    return f"{number / 1e3:.1f} k" if number >= 10_000 else f"{number:,}"
