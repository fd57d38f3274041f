"""The mean of what several models say, as outputs that are read as those of one model."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def mean_of_softmaxes(outputs: Sequence[Tensor]) -> Tensor:
    """Return outputs (N, C) whose softmax is the mean of the softmaxes of the models' outputs."""
    return _log_mean([one.float().log_softmax(dim=-1) for one in outputs])


def mean_of_sigmoids(outputs: Sequence[Tensor]) -> Tensor:
    """Return outputs (N, C) whose sigmoid is the mean of the sigmoids of the models' outputs.

    They are log p - log (1 - p) of the mean p, both logarithms without leaving logarithms.
    """
    yes_NC = _log_mean([functional.logsigmoid(one.float()) for one in outputs])
    no_NC = _log_mean([functional.logsigmoid(-one.float()) for one in outputs])
    return yes_NC - no_NC


def _log_mean(logarithms: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(logarithms)).logsumexp(dim=0) - math.log(len(logarithms))
