"""A head that starts as the best linear reading of the body, not as noise.

A random head sends random gradients through a pretrained body, and on little data the damage stays.
Setting its last layer first, on frozen features, keeps them (Kumar et al. 2022, "Fine-Tuning can
Distort Pretrained Features and Underperform Out-of-Distribution"). How much such a layer may be
fitted depends on what the body knows of the matter: what is held out says it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

FloatArray = NDArray[np.float64]
Losses = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

_USUAL = 5.0  # penalty of half the squared weights, beside the sum of the losses
_STEP = 4.0  # between a penalty and the next one that is tried
_MOST = _USUAL * _STEP**6
_FOLDS = 4
_FEWEST = 5 * _FOLDS  # examples, of which folds say anything
_ENOUGH = 2000  # examples that choose the penalty; all learn
_ITERATIONS = 200


def probe(layer: nn.Linear, features_ND: Tensor, targets: Tensor, losses: Losses) -> None:
    """Set the last layer of a head to the minimum of the penalised loss over frozen features.

    `losses` gives the loss and the weight of each example, of outputs (N, C) and targets. The loss
    is convex, so that L-BFGS finds it (Liu & Nocedal 1989), whatever the seed. How strong the
    penalty has to be is found by cross-validation.
    """
    every = -(-len(features_ND) // _ENOUGH)
    penalty = best_penalty(layer, features_ND[::every], targets[::every], losses)
    minimise(layer, features_ND, targets, losses, penalty)


def best_penalty(layer: nn.Linear, features_ND: Tensor, targets: Tensor, losses: Losses) -> float:
    """Return the penalty with the lowest loss on what was held out, and change the layer.

    None is weaker than the usual one, even where that were the better probe: fine-tuning fits the
    layer further, and ended too sure of itself from there.
    """
    if len(features_ND) < _FEWEST:
        return _USUAL
    order_N = torch.randperm(len(features_ND), generator=torch.Generator().manual_seed(0))
    folds_N = (order_N % _FOLDS).to(features_ND.device)

    @cache
    def held_out(penalty: float) -> float:
        total = 0.0
        for fold in range(_FOLDS):
            is_out_N = folds_N == fold
            minimise(layer, features_ND[~is_out_N], targets[~is_out_N], losses, penalty)
            with torch.no_grad():
                losses_N, weights_N = losses(layer(features_ND[is_out_N]), targets[is_out_N])
            total += float((losses_N * weights_N).sum())
        return total

    penalty = _USUAL
    while penalty < _MOST and held_out(penalty * _STEP) < held_out(penalty):
        penalty *= _STEP
    return penalty


def minimise(
    layer: nn.Linear, features_ND: Tensor, targets: Tensor, losses: Losses, penalty: float
) -> None:
    """Set a layer to the minimum of the mean loss with a penalty."""
    from scipy.optimize import minimize  # most of a second to import

    device = features_ND.device
    parameters = list(layer.parameters())

    def objective(vector: FloatArray) -> tuple[float, FloatArray]:
        vector_to_parameters(torch.from_numpy(vector).float().to(device), parameters)
        losses_N, weights_N = losses(layer(features_ND), targets)
        squares = penalty * layer.weight.square().sum() / 2
        value = ((losses_N * weights_N).sum() + squares) / weights_N.sum()
        gradient = parameters_to_vector(torch.autograd.grad(value, parameters))
        return value.item(), gradient.double().cpu().numpy()

    start = np.zeros(sum(parameter.numel() for parameter in parameters))
    found = minimize(
        objective, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS}
    )
    vector_to_parameters(torch.from_numpy(found.x).float().to(device), parameters)
