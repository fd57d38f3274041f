"""Which tokens a sample may draw, and the draw: pure functions of logits and a random number."""

from __future__ import annotations

import random

import torch
from torch import Tensor

from manyheads.generate.settings import Sample


class Uniforms:
    """Random numbers from 0 to 1, one for each token of a sample, the same in any batch."""

    def __init__(self, seed: int, sample: int) -> None:
        self._random = random.Random(f"sample {seed} {sample}")
        self._drawn: list[float] = []

    def __getitem__(self, token: int) -> float:
        while len(self._drawn) <= token:
            self._drawn.append(self._random.random())
        return self._drawn[token]


def draw(logits_RV: Tensor, sample: Sample, uniform_R: Tensor) -> Tensor:
    """Return one token of each row, (R): the first whose cumulated probability exceeds `uniform_R`.

    The same number gives the same token, whatever else is drawn.
    """
    probabilities, tokens = probabilities_of(logits_RV, sample)
    cumulated = probabilities.double().cumsum(dim=-1)
    wanted = uniform_R.double()[:, None] * cumulated[:, -1:]
    at = torch.searchsorted(cumulated, wanted, right=True)
    # A product that is rounded up to the whole must not fall behind the last possible token.
    last = (probabilities > 0).cumsum(dim=-1).argmax(dim=-1, keepdim=True)
    return tokens.gather(1, torch.minimum(at, last))[:, 0]


def probabilities_of(logits_RV: Tensor, sample: Sample) -> tuple[Tensor, Tensor]:
    """Return probabilities and tokens of each row, (R, at most V): what may not be drawn has 0."""
    # The most probable at 0, and a divisor that 32 bits can hold: or else a quotient is infinite.
    logits_RV = logits_RV.float() - logits_RV.amax(dim=-1, keepdim=True).float()
    logits_RV /= max(sample.temperature, torch.finfo(torch.float32).tiny)
    if sample.top_k is not None and sample.top_k < logits_RV.shape[1]:
        kept, tokens = logits_RV.topk(sample.top_k)
    elif sample.top_p < 1.0 or sample.typical_p < 1.0:
        kept, tokens = logits_RV.sort(dim=-1, descending=True)
    else:
        kept = logits_RV
        tokens = torch.arange(logits_RV.shape[1], device=kept.device).expand_as(kept)
    if sample.top_p < 1.0:
        kept = _until(kept, kept.softmax(dim=-1), sample.top_p)
    if sample.min_p > 0.0:
        p = kept.softmax(dim=-1)
        kept = kept.masked_fill(p < sample.min_p * p.amax(dim=-1, keepdim=True), -torch.inf)
    if sample.typical_p < 1.0:
        kept, tokens = _typical(kept, tokens, sample.typical_p)
    return kept.softmax(dim=-1), tokens


def _until(kept: Tensor, p: Tensor, share: float) -> Tensor:
    """Leave out all behind the first tokens, in their order, that hold `share` together."""
    before = p.cumsum(dim=-1) - p
    before[:, 0] = 0.0  # the first stays, however the sum is rounded
    return kept.masked_fill(before >= share, -torch.inf)


def _typical(kept: Tensor, tokens: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Leave out what tells much more, or much less, than is expected of a token."""
    log_p = kept.log_softmax(dim=-1)
    p = log_p.exp()
    entropy = -torch.where(p > 0, p * log_p, 0.0).sum(dim=-1, keepdim=True)
    order = (-log_p - entropy).abs().argsort(dim=-1, stable=True)
    kept, tokens, p = kept.gather(1, order), tokens.gather(1, order), p.gather(1, order)
    return _until(kept, p, share), tokens
