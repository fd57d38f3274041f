"""Group sequences into batches by their lengths.

The model lays the sequences of a batch end to end, so a batch costs the sum of its lengths and
nothing is padded. Similar lengths still belong together: attention then runs over few, large
groups of equal length.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from manyheads.errors import RecipeError

_BATCHES_PER_CHUNK = 50


def token_budget_batches(
    lengths: Sequence[int], *, max_tokens: int, max_sequences: int | None = None
) -> list[list[int]]:
    """Cut all sequences, sorted by length, into batches: for prediction, where order is free.

    The longest come first: memory is claimed at its peak at once, and a batch that does not fit
    fails in the first second. A sequence longer than ``max_tokens`` is a batch of its own.

    Args:
        lengths: tokens of each sequence.
        max_tokens: the most tokens in a batch.
        max_sequences: the most sequences in a batch; None for no limit.

    Returns:
        Batches of indices into ``lengths``; every index occurs exactly once.

    Raises:
        RecipeError: a limit below 1.
    """
    _check_limits(max_tokens, max_sequences)
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    return list(packed(order, lengths, max_tokens, max_sequences))


def even_batches(lengths: Sequence[int], count: int) -> list[list[int]]:
    """Share all sequences out among at most `count` batches of nearly as many tokens each.

    The longest go first, each to the batch that has least (Graham 1969). Returns batches of indices
    into `lengths`, none of them empty; every index occurs exactly once.
    """
    batches: list[list[int]] = [[] for _ in range(count)]
    tokens = [0] * count
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        emptiest = tokens.index(min(tokens))
        batches[emptiest].append(index)
        tokens[emptiest] += lengths[index]
    return [batch for batch in batches if batch]


def shuffled_batches(
    lengths: Sequence[int],
    *,
    max_tokens: int | None = None,
    max_sequences: int | None = None,
    seed: int,
    epoch: int,
) -> list[list[int]]:
    """Cut all sequences into batches of similar lengths in a random order: for training.

    The sequences are shuffled, cut into chunks of about 50 batches, sorted by length within each
    chunk, alternately up and down so that neighbours stay similar across chunks, packed, and the
    batches shuffled. A sequence longer than ``max_tokens`` is a batch of its own.

    Args:
        lengths: tokens of each sequence.
        max_tokens: the most tokens in a batch; None for no limit.
        max_sequences: the most sequences in a batch; None for no limit.
        seed: of the run.
        epoch: number of the pass; each has its own order, the same on every machine.

    Returns:
        Batches of indices into ``lengths``; every index occurs exactly once.

    Raises:
        RecipeError: a limit below 1, or no limit at all.
    """
    _check_limits(max_tokens, max_sequences)
    if max_tokens is None and max_sequences is None:
        raise RecipeError("a batch needs a limit; set max_tokens, max_sequences or both")
    shuffler = random.Random(f"batches {seed} {epoch}")
    order = list(range(len(lengths)))
    shuffler.shuffle(order)
    size = _chunk_size(lengths, max_tokens, max_sequences)
    chunks = (order[start : start + size] for start in range(0, len(order), size))
    waves = (
        sorted(chunk, key=lengths.__getitem__, reverse=number % 2 == 1)
        for number, chunk in enumerate(chunks)
    )
    batches = list(packed(chain.from_iterable(waves), lengths, max_tokens, max_sequences))
    shuffler.shuffle(batches)
    return batches


def _check_limits(max_tokens: int | None, max_sequences: int | None) -> None:
    for name, limit in (("max_tokens", max_tokens), ("max_sequences", max_sequences)):
        if limit is not None and limit < 1:
            raise RecipeError(f"{name}={limit} leaves no room in a batch; choose at least 1")


def _chunk_size(lengths: Sequence[int], max_tokens: int | None, max_sequences: int | None) -> int:
    sizes = [] if max_sequences is None else [max_sequences]
    if max_tokens is not None:
        mean = max(1.0, sum(lengths) / max(1, len(lengths)))
        sizes.append(max(1, int(max_tokens / mean)))
    return _BATCHES_PER_CHUNK * min(sizes)


def packed(
    order: Iterable[int],
    lengths: Sequence[int],
    max_tokens: int | None,
    max_sequences: int | None = None,
) -> Iterator[list[int]]:
    """Fill batch after batch in the given order; a sequence that is too long has its own."""
    batch: list[int] = []
    tokens = 0
    for index in order:
        too_long = max_tokens is not None and tokens + lengths[index] > max_tokens
        too_many = max_sequences is not None and len(batch) == max_sequences
        if batch and (too_long or too_many):
            yield batch
            batch, tokens = [], 0
        batch.append(index)
        tokens += lengths[index]
    if batch:
        yield batch
