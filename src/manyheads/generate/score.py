"""Scores of given outputs, and what their tokens read of the source: one pass, no search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from manyheads.core.layout import Layout
from manyheads.core.tap import tap
from manyheads.errors import GenerationError
from manyheads.generate.request import Writer, check_tokens

_TOKENS = 4096  # of one pass


@dataclass(frozen=True)
class Given:
    """An output whose probability is asked for, after its prompt and from its source."""

    prompt: Sequence[int]
    output: Sequence[int]
    source: Sequence[int] | None = None


@torch.inference_mode()
def score(writer: Writer, given: Sequence[Given]) -> list[tuple[float, ...]]:
    """Return the log-probability of each token of each output (forced decoding).

    Raises `GenerationError` for what this model cannot read.
    """
    scored: list[tuple[float, ...]] = [()] * len(given)
    for numbers, batch in _batches(writer, given):
        hidden_TD, layout = _read(writer, batch)
        starts = [at + len(one.prompt) - 1 for at, one in zip(layout.starts, batch, strict=True)]
        rows = [
            start + i
            for start, one in zip(starts, batch, strict=True)
            for i in range(len(one.output))
        ]
        wanted = [token for one in batch for token in one.output]
        wanted_R = torch.tensor(wanted, device=hidden_TD.device)
        losses_R, _ = writer.transformer.token_losses(hidden_TD[rows], wanted_R)
        log_probs = (0.0 - losses_R).tolist()  # never -0.0
        ends = list(accumulate(len(one.output) for one in batch))
        for number, end, one in zip(numbers, ends, batch, strict=True):
            scored[number] = tuple(log_probs[end - len(one.output) : end])
    return scored


@torch.inference_mode()
def align(writer: Writer, given: Sequence[Given]) -> list[Tensor]:
    """Return how much each token of each output reads of each token of its source.

    (output tokens, source tokens), rows summing to 1: the weights of the last layer's
    cross-attention where the token is chosen, as the mean over heads.
    Raises `GenerationError` for a model that reads no source.
    """
    if not writer.reads:
        raise GenerationError("a model without an encoder reads no source that outputs align with")
    decoder = writer.transformer.decoder
    assert decoder is not None
    name = f"decoder.blocks.{len(decoder.blocks) - 1}.cross.weights"
    aligned: list[Tensor] = [torch.empty(0)] * len(given)
    for numbers, batch in _batches(writer, given):
        with tap(writer.transformer, name) as values:
            _read(writer, batch)
        for number, one, weights_HTS in zip(numbers, batch, values[name], strict=True):
            first = len(one.prompt) - 1
            aligned[number] = weights_HTS.mean(dim=0)[first : first + len(one.output)]
    return aligned


def coverage(alignment_TS: Tensor) -> float:
    """Return Σ_source log min(Σ_target weight, 1): 0 where all was read (Wu et al. 2016)."""
    return float(alignment_TS.sum(dim=0).clamp(min=1e-9, max=1.0).log().sum())


def _batches(writer: Writer, given: Sequence[Given]) -> Iterator[tuple[list[int], list[Given]]]:
    """Yield outputs of similar length and their numbers, a few thousand tokens at a time."""
    for number, one in enumerate(given):
        _check(writer, one, f"number {number}")
    size = [len(one.prompt) + len(one.output) + len(one.source or ()) for one in given]
    numbers: list[int] = []
    tokens = 0
    for number in sorted(range(len(given)), key=size.__getitem__):
        if numbers and tokens + size[number] > _TOKENS:
            yield numbers, [given[i] for i in numbers]
            numbers, tokens = [], 0
        numbers.append(number)
        tokens += size[number]
    if numbers:
        yield numbers, [given[i] for i in numbers]


def _check(writer: Writer, one: Given, name: str) -> None:
    """Raise `GenerationError` for what this model cannot read."""
    spec = writer.transformer.spec
    if (one.source is not None) != writer.reads:
        reason = "needs a source" if writer.reads else "reads no source; leave it out"
        raise GenerationError(f"{name}: this model {reason}")
    reading = len(one.prompt) + len(one.output) - 1  # the last token is never read
    for what, tokens, count, length in (
        ("prompt", one.prompt, writer.vocabulary, reading),
        ("output", one.output, writer.vocabulary, reading),
        ("source", one.source, spec.embed.vocabulary, len(one.source or ())),
    ):
        if tokens is None:
            continue
        if not len(tokens):
            raise GenerationError(f"{name} has an empty {what}; there is nothing to score")
        check_tokens(name, f"its {what}", tokens, count)
        if length > spec.max_tokens:
            raise GenerationError(
                f"{name}: {length} tokens to be read exceed the {spec.max_tokens} positions of "
                "this model; give fewer"
            )


def _read(writer: Writer, batch: Sequence[Given]) -> tuple[Tensor, Layout]:
    """Return the hidden states (T, D) of prompts with all but the last token of their outputs."""
    memory = writer.remember([one.source for one in batch])
    texts = [[*one.prompt, *one.output[:-1]] for one in batch]
    ids_T, layout = Layout.flatten(texts, writer.transformer.device)
    return writer.transformer.decode(ids_T, layout, memory), layout
