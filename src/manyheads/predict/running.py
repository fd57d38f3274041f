"""Run a model over samples in batches, on CPU several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from manyheads.core.streams import in_streams, streams_on
from manyheads.data.batch import even_batches, token_budget_batches
from manyheads.tasks import OutputTask, Sample, Trainable
from manyheads.tasks.task import device_of

Value = TypeVar("Value")

# Enough for matrix products to run at full speed; more only holds more memory.
BATCH_TOKENS = 2048
_LEAST_TOKENS = 256  # smaller batches would cost more than sharing them out brings
_UNEVEN = 1.2  # times its share: then all cores rather work on one batch together


def run(
    model: nn.Module,
    task: OutputTask,
    examples: Sequence[Sample],
    *,
    batch_tokens: int = BATCH_TOKENS,
    progress: Callable[[int], None] = lambda _: None,
) -> Tensor:
    """Return the outputs (N, C) of all examples on the CPU, in their order.

    They are run in batches of similar length, on CPU several at once; which of them share a batch
    does not matter.
    """
    return map_batches(
        lambda batch: model(batch).float().cpu(),
        task,
        examples,
        device=device_of(model),
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
    found = list(_collated(work, task, examples, device, batch_tokens, progress))
    order = torch.tensor([index for indices, _ in found for index in indices])
    results = [result for _, result in found]
    return torch.cat(results)[order.argsort().to(results[0].device)]


def map_ragged(
    work: Callable[[Any], Sequence[Tensor]],
    task: Trainable,
    examples: Sequence[Sample],
    *,
    device: torch.device,
    batch_tokens: int = BATCH_TOKENS,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Tensor]:
    """Return what `work` gives for each example, of any length; otherwise as `map_batches`."""
    found: dict[int, Tensor] = {}
    for indices, parts in _collated(work, task, examples, device, batch_tokens, progress):
        found |= dict(zip(indices, parts, strict=True))
    return [found[index] for index in range(len(examples))]


def _collated(
    work: Callable[[Any], Value],
    task: Trainable,
    examples: Sequence[Sample],
    device: torch.device,
    batch_tokens: int,
    progress: Callable[[int], None],
) -> Iterator[tuple[Sequence[int], Value]]:
    """Yield the numbers of the examples in each batch, and what `work` gives for it."""

    def of_batch(indices: Sequence[int]) -> Value:
        return work(task.collate([examples[i] for i in indices]).to(device))

    lengths = [example.tokens for example in examples]
    return in_batches(
        of_batch, lengths, device=device, batch_tokens=batch_tokens, progress=progress
    )


def in_batches(
    work: Callable[[Sequence[int]], Value],
    lengths: Sequence[int],
    *,
    device: torch.device,
    batch_tokens: int = BATCH_TOKENS,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[tuple[Sequence[int], Value]]:
    """Yield the numbers of the sequences in each batch, and what `work` gives for them.

    `lengths` are the tokens of all sequences. No gradient flows inside `work`. Batches are small
    enough for every core to get several of them.
    """
    streams = streams_on(device)
    batches = _shared_out(lengths, streams, batch_tokens)
    work = torch.inference_mode()(work)
    for indices, result in zip(batches, in_streams(work, batches, streams), strict=True):
        yield indices, result
        progress(len(indices))


def _shared_out(lengths: Sequence[int], streams: int, batch_tokens: int) -> list[list[int]]:
    """Return batches for so many streams: several for each, and of few tokens one for each."""
    total = sum(lengths)
    if total >= 4 * streams * _LEAST_TOKENS or total > batch_tokens:
        share = max(_LEAST_TOKENS, total // (4 * streams))
        return token_budget_batches(lengths, max_tokens=min(batch_tokens, share))
    count = min(streams, max(1, total // _LEAST_TOKENS))
    batches = even_batches(lengths, count)
    most = max((sum(lengths[one] for one in batch) for batch in batches), default=0)
    return batches if most * count <= _UNEVEN * total else even_batches(lengths, 1)
