"""Cross entropy over a vocabulary, without ever holding all of its scores.

T tokens over V entries make T·V scores, and as many again for their gradient: for a batch of 4096
tokens and 32,000 entries a gigabyte. Here scores are made for a few tokens at a time, and each
chunk's gradient at once, while its scores are in the cache; what is kept is (T, D) and (V, D).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import linear

_SCORES = 1 << 22  # of one chunk: sixteen megabytes of float32


def total_cross_entropy(
    x_TD: Tensor,
    weight_VD: Tensor,
    bias_V: Tensor | None,
    targets_T: Tensor,
    smoothing: float = 0.0,
) -> Tensor:
    """Return the sum over tokens of the cross entropy of x·Wᵀ + b with their targets, in nats.

    With `smoothing` s, a target has the probability 1 - s + s/V and all others s/V (Szegedy et al.
    2016, section 7).
    """
    inputs = (x_TD, weight_VD, bias_V, targets_T, smoothing)
    total: Tensor = _TotalCrossEntropy.apply(*inputs)  # type: ignore[no-untyped-call]
    return total


def cross_entropies(
    project: Callable[[Tensor], Tensor], x_TD: Tensor, targets_T: Tensor, vocabulary: int
) -> tuple[Tensor, Tensor]:
    """Return each token's cross entropy in nats, (T), and whether its target scores highest, (T).

    `project` makes the scores of a few tokens, (D) → (`vocabulary`). No gradient flows.
    """
    losses, hits = [], []
    with torch.no_grad():
        for x, targets in _chunks(vocabulary, x_TD, targets_T):
            scores = _wide(project(x))
            own = scores.gather(1, targets[:, None])[:, 0]
            losses.append(scores.logsumexp(1) - own)
            hits.append(scores.amax(1) == own)
    return torch.cat(losses), torch.cat(hits)


class _TotalCrossEntropy(Function):
    """The gradient of each chunk is computed along with its loss: scores are made once."""

    @staticmethod
    def forward(
        context: Any,
        x_TD: Tensor,
        weight_VD: Tensor,
        bias_V: Tensor | None,
        targets_T: Tensor,
        smoothing: float,
    ) -> Tensor:
        wants_x, wants_weight, wants_bias = context.needs_input_grad[:3]
        total = x_TD.new_zeros((), dtype=torch.promote_types(x_TD.dtype, torch.float32))
        of_x: list[Tensor] = []
        of_weight = torch.zeros_like(weight_VD) if wants_weight else None
        of_bias = torch.zeros_like(bias_V) if bias_V is not None and wants_bias else None
        for x, targets in _chunks(len(weight_VD), x_TD, targets_T):
            # In place from scores to exp(scores - their largest), which sum to z: one exponential.
            error = _wide(linear(x, weight_VD, bias_V))
            error -= error.amax(1, keepdim=True)
            own = error.gather(1, targets[:, None])
            mean = error.mean(1, keepdim=True) if smoothing else own
            z = error.exp_().sum(1, keepdim=True)
            total += (z.log() - (1.0 - smoothing) * own - smoothing * mean).sum()
            if not any(context.needs_input_grad):
                continue
            # d loss / d scores = softmax - (1 - s)·onehot - s/V, here still times z.
            if smoothing:
                error -= smoothing / error.shape[1] * z
            error.scatter_add_(1, targets[:, None], (smoothing - 1.0) * z)
            if of_bias is not None:
                of_bias += (error / z).sum(0)
            if wants_x:
                of_x.append(((error.to(x.dtype) @ weight_VD.to(x.dtype)) / z).to(x.dtype))
            if of_weight is not None:
                of_weight.addmm_(error.to(of_weight.dtype).T, (x / z).to(of_weight.dtype))
        context.gradients = (torch.cat(of_x) if of_x else None, of_weight, of_bias)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (scale,) = gradients
        of_inputs = [None if one is None else one * scale for one in context.gradients]
        return (*of_inputs, None, None)


def _chunks(vocabulary: int, x_TD: Tensor, targets_T: Tensor) -> zip[tuple[Tensor, Tensor]]:
    rows = rows_at_once(vocabulary)
    return zip(x_TD.split(rows), targets_T.split(rows), strict=True)


def rows_at_once(vocabulary: int) -> int:
    """Return for how many tokens scores are made at a time."""
    return max(16, _SCORES // vocabulary)


def _wide(scores: Tensor) -> Tensor:
    """Return scores in float32 at least."""
    return scores.to(torch.promote_types(scores.dtype, torch.float32))
