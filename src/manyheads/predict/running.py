"""Run a model over samples in batches, on CPU several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from manyheads.core.streams import in_streams, streams_on
from manyheads.data.batch import token_budget_batches
from manyheads.tasks import Example, Sample, SequenceTask, TaskModel, Trainable

# Enough for matrix products to run at full speed; more only holds more memory.
BATCH_TOKENS = 2048
_LEAST_TOKENS = 256  # smaller batches would cost more than sharing them out brings


def run(
    model: TaskModel,
    task: SequenceTask,
    examples: Sequence[Example],
    *,
    batch_tokens: int = BATCH_TOKENS,
    progress: Callable[[int], None] = lambda _: None,
) -> Tensor:
    """Return the outputs (N, C) of all examples on the CPU, in their order.

    They are run in batches of similar length, on CPU several at once; which texts share a batch
    does not matter.
    """
    return map_batches(
        lambda batch: model(batch).float().cpu(),
        task,
        examples,
        device=model.transformer.device,
        batch_tokens=batch_tokens,
        progress=progress,
    )


def map_batches(
    work: Callable[[Any], Tensor],
    task: Trainable,
    examples: Sequence[Sample],
    *,
    device: torch.device,
    batch_tokens: int = BATCH_TOKENS,
    progress: Callable[[int], None] = lambda _: None,
) -> Tensor:
    """Return the rows that `work` gives for batches of the examples, (N, …), in their order.

    No gradient flows. Batches are small enough for every core to get several of them.
    """
    streams = streams_on(device)
    lengths = [example.tokens for example in examples]
    share = max(_LEAST_TOKENS, sum(lengths) // (4 * streams))
    batches = token_budget_batches(lengths, max_tokens=min(batch_tokens, share))

    @torch.inference_mode()
    def rows(indices: Sequence[int]) -> Tensor:
        return work(task.collate([examples[i] for i in indices]).to(device))

    results: list[Tensor] = []
    for indices, result in zip(batches, in_streams(rows, batches, streams), strict=True):
        results.append(result)
        progress(len(indices))
    order = torch.tensor([index for indices in batches for index in indices])
    return torch.cat(results)[order.argsort().to(results[0].device)]
