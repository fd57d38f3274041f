"""A head that starts as the best linear reading of the body, not as noise.

A random head sends random gradients through a pretrained body, and on little data the damage stays.
Setting its last layer first, on frozen features, keeps them (Kumar et al. 2022, "Fine-Tuning can
Distort Pretrained Features and Underperform Out-of-Distribution").
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

FloatArray = NDArray[np.float64]

_PENALTY = 5.0  # of half the squared weights, beside the sum of the losses
_ITERATIONS = 200


def probe(
    layer: nn.Linear,
    features_ND: Tensor,
    targets: Tensor,
    losses: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
) -> None:
    """Set the last layer of a head to the minimum of the penalised loss over frozen features.

    `losses` gives the loss and the weight of each example, of outputs (N, C) and targets. The loss
    is convex, so that L-BFGS finds it (Liu & Nocedal 1989), whatever the seed.
    """
    from scipy.optimize import minimize  # most of a second to import

    device = features_ND.device
    parameters = list(layer.parameters())

    def objective(vector: FloatArray) -> tuple[float, FloatArray]:
        vector_to_parameters(torch.from_numpy(vector).float().to(device), parameters)
        losses_N, weights_N = losses(layer(features_ND), targets)
        penalty = _PENALTY * layer.weight.square().sum() / 2
        value = ((losses_N * weights_N).sum() + penalty) / weights_N.sum()
        gradient = parameters_to_vector(torch.autograd.grad(value, parameters))
        return value.item(), gradient.double().cpu().numpy()

    start = np.zeros(sum(parameter.numel() for parameter in parameters))
    found = minimize(
        objective, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS}
    )
    vector_to_parameters(torch.from_numpy(found.x).float().to(device), parameters)
