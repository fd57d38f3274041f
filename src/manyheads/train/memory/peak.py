"""How much memory a run will take, said before it starts, and how large parts fit into a limit.

The peak of an update lies somewhere on the way back through the model: below that place everything
is still kept, above it gradients are there already. With accumulated batches they are all along.

    held by the process + optimizer + averages + best weights + the most, over stages, of
        what is kept up to the stage + what computing its gradient takes + gradients from it on

AdamW holds two numbers for each weight that learns, an average of weights one, and validations keep
a copy of all weights that were best. The formulas of the stages are in `kept`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import torch

from manyheads.core.loss import rows_at_once
from manyheads.core.machine import available, resident
from manyheads.core.transformer import Transformer
from manyheads.data.batch import packed
from manyheads.tasks import AnswerModel, ImageBatch, Joint, PairBatch, RelatedBatch, TagModel
from manyheads.tasks.many.samples import HeadBatch
from manyheads.tasks.plain import PlainModel
from manyheads.tasks.similarity.few_shot import TwinBatch
from manyheads.tasks.task import device_of
from manyheads.train.fitting import Fitting
from manyheads.train.memory.kept import (
    WIDE,
    Format,
    Stage,
    embedding_stage,
    gradient_bytes,
    only_above,
    stack_stages,
)
from manyheads.train.memory.plan import MemoryPlan
from manyheads.train.settings import Free, Memory

_NARROW = {torch.float32: 4, torch.bfloat16: 2, torch.float16: 2}
_GIGABYTE = 10**9


def plan_memory(fitting: Fitting, memory: Memory | None = None) -> MemoryPlan:
    """Return what a run takes at its peak, beside the limit that `memory` means.

    Its batches are computed in parts as large as fit, or whole where `memory` is None.
    """
    planner = _Planner(fitting)
    if memory is None:
        return planner.plan(None, _limit(Free(1.0), planner.device))
    limit = _limit(memory, planner.device)
    whole = planner.plan(None, limit)
    if whole.fits:
        return whole
    # The largest part that fits, to a thirty-second of the batch, but at least one sequence.
    low, high = planner.longest, whole.tokens
    best = planner.plan(low, limit)
    while best.fits and high - low > whole.tokens // 32:
        tried = planner.plan((low + high) // 2, limit)
        if tried.fits:
            best, low = tried, (low + high) // 2
        else:
            high = (low + high) // 2
    return best


def fit_into(fitting: Fitting, memory: Memory) -> MemoryPlan:
    """Let a run compute parts that fit into the memory; return what was chosen."""
    plan = plan_memory(fitting, memory)
    fitting.portions.tokens = plan.part
    return plan


def _limit(memory: Memory, device: torch.device) -> int | None:
    """Return the bytes that a run may take, what is held already among them."""
    if not isinstance(memory, Free):
        return int(memory.gigabytes * _GIGABYTE)
    if device.type == "cuda":
        free: int | None = torch.cuda.mem_get_info(device)[0]
    else:
        free = available()
    return None if free is None else _held(device) + int(memory.share * free)


def _held(device: torch.device) -> int:
    """Return what the process holds now."""
    if device.type == "cuda":
        return torch.cuda.memory_reserved(device)
    return resident() or 0


class _Planner:
    """Knows the samples of a run by their lengths, and what its weights take beside them."""

    def __init__(self, fitting: Fitting) -> None:
        self.fitting = fitting
        self.device = device_of(fitting.model)
        self.transformer: Transformer = fitting.model.transformer
        epochs = range(len(fitting.epochs.starts) - 1)
        self.batches = [batch for epoch in epochs for batch in fitting.epochs.batches(epoch)]
        self.longest = max(map(fitting.portions.longest, fitting.examples))
        narrow = _NARROW[fitting.precision.dtype]
        self.format = Format(narrow, fused=self.device.type == "cuda")

    def plan(self, tokens: int | None, limit: int | None) -> MemoryPlan:
        """Return the plan of batches in parts of at most so many tokens, or whole ones."""
        return max(
            (self._plan_of(batch, tokens, limit) for batch in self._largest(tokens)),
            key=lambda plan: plan.peak,
        )

    def _largest(self, tokens: int | None) -> list[Any]:
        """Return the batch of the most tokens, and that of the most pairs of tokens."""
        lengths, task = self.fitting.epochs.lengths, self.fitting.task
        parts: Sequence[Sequence[int]] = self.batches
        if isinstance(task, Joint):
            task = task if tokens is None else task.in_parts(tokens)
        elif tokens is not None:
            parts = [part for one in self.batches for part in packed(one, lengths, tokens)]
        largest = (max(parts, key=lambda p: sum(lengths[i] ** n for i in p)) for n in (1, 2))
        samples = self.fitting.examples
        return [task.collate([samples[number] for number in part]) for part in largest]

    def _plan_of(self, batch: Any, tokens: int | None, limit: int | None) -> MemoryPlan:
        fitting, recipe = self.fitting, self.fitting.recipe
        stages = only_above(self._stages(batch))
        learnt = sum(parameter.nbytes for parameter in fitting.optimizer.parameters)
        summed = recipe.accumulate > 1 or tokens is not None
        at = _peak(stages, learnt if summed else None)
        narrowed = sum(p.numel() for p in fitting.model.parameters() if p.dim() > 1)
        read, written = _lengths(batch)
        weights = sum(tensor.nbytes for tensor in fitting.model.state_dict().values())
        return MemoryPlan(
            held=_held(self.device),
            optimizer=2 * learnt,
            averages=_averages(recipe.average, recipe.average_last) * learnt,
            best=weights if fitting.validate is not None else 0,
            gradients=at.gradients,
            kept=at.kept + (0 if self.format.narrow == WIDE else 2 * narrowed),
            scores=at.scores,
            working=at.working,
            tokens=sum(read) + sum(written),
            sequences=len(read) or len(written),
            longest=max(*read, *written, 0, 0),
            part=tokens,
            limit=limit,
        )

    def _stages(self, batch: Any) -> list[Stage]:
        """Return what is computed one after the other."""
        read, written = _lengths(batch)
        model, format_ = self.transformer, self.format
        stages = []
        if model.encoder is not None:
            stages.append(embedding_stage("embedding", model.embed, sum(read)))
            stages += stack_stages("encoder", model.encoder, read, format_)
        if model.decoder is not None:
            own = written or read
            embedding = model.target or model.embed
            stages.append(embedding_stage("target embedding", embedding, sum(own)))
            stages += stack_stages("decoder", model.decoder, own, format_, read)
        stages.append(self._head(batch, sum(written or read)))
        if isinstance(batch, RelatedBatch) and batch.in_chunks:
            return _recomputed(stages)
        return stages

    def _head(self, batch: Any, tokens: int) -> Stage:
        """Return what stands above the body: a head, or the scores of a vocabulary."""
        model = self.fitting.model
        own = gradient_bytes(model) - gradient_bytes(self.transformer)
        each_token = isinstance(model, PlainModel | TagModel | AnswerModel)
        rows = WIDE * (tokens if each_token else len(batch)) * self.transformer.spec.width
        if not isinstance(model, PlainModel):
            return Stage("head", kept=rows, working=2 * rows, gradients=own)
        output = self.transformer.output
        assert output is not None
        weight, _ = output.projection(self.transformer.target_table.weight)
        # Made in the forward pass already, and once more when it is scaled.
        table = 2 * weight.nbytes if weight.requires_grad else 0
        scores = 3 * WIDE * len(weight) * min(tokens, rows_at_once(len(weight)))
        working = scores + 2 * rows + table
        return Stage("vocabulary", rows, working=working, gradients=gradient_bytes(output))


def _lengths(batch: Any) -> tuple[Sequence[int], Sequence[int]]:
    """Return the lengths of the sequences that are read, and of those that are written."""
    match batch:
        case HeadBatch():
            return _lengths(batch.batch)
        case PairBatch():
            return batch.source_layout.lengths, batch.layout.lengths
        case RelatedBatch():
            parts = [part.layout.lengths for part in batch.parts]
            if batch.in_chunks:
                return max(parts, key=sum), ()
            return [length for part in parts for length in part], ()
        case TwinBatch():
            return batch.texts.layout.lengths, ()
        case ImageBatch():
            return [batch.tokens // len(batch)] * len(batch), ()
        case _:
            return batch.layout.lengths, ()


def _averages(decay: float | None, ends: int | None) -> int:
    """Return how many copies of the weights averages hold."""
    return (decay is not None) + (0 if ends is None else ends + 1)


def _recomputed(stages: Sequence[Stage]) -> list[Stage]:
    """Return the stages of a chunk that is computed again: all at once."""
    kept = sum(one.kept + one.scores for one in stages)
    most = max(one.working for one in stages)
    gradients = sum(one.gradients for one in stages)
    return [Stage("chunk", working=kept + most, gradients=gradients)]


def _peak(stages: Sequence[Stage], gradients: int | None) -> Stage:
    """Return what is held where that is most; `gradients` are those that are there all along."""
    kept = list(accumulate(one.kept for one in stages))
    scores = list(accumulate(one.scores for one in stages))
    above = list(accumulate(one.gradients for one in reversed(stages)))[::-1]
    moments = [
        replace(
            stage,
            kept=kept[number],
            scores=scores[number],
            gradients=above[number] if gradients is None else gradients,
        )
        for number, stage in enumerate(stages)
    ]
    return max(moments, key=lambda one: one.kept + one.scores + one.working + one.gradients)
