"""A head that starts as the best linear reading of the body, not as noise.

A random head sends random gradients through a pretrained body, and on little data the damage stays.
Setting its last layer first, on frozen features, keeps them (Kumar et al. 2022, "Fine-Tuning can
Distort Pretrained Features and Underperform Out-of-Distribution").
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from manyheads.predict import map_batches
from manyheads.tasks import Example, Task, TaskModel

_PENALTY = 5.0  # of half the squared weights, beside the sum of the losses
_ITERATIONS = 200


def probe(model: TaskModel, task: Task, examples: Sequence[Example]) -> None:
    """Set the last layer of the head to the minimum of the penalised loss over frozen features.

    The loss is convex, so that L-BFGS finds it (Liu & Nocedal 1989), whatever the seed.
    """
    device = model.transformer.device
    features_ND = map_batches(model.eval().features, task, examples, device=device)
    targets = torch.tensor([example.target for example in examples], device=device)
    layer = model.head.out
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
    optimizer = torch.optim.LBFGS(
        list(layer.parameters()), max_iter=_ITERATIONS, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        losses_N, weights_N = task.losses(layer(features_ND), targets)
        penalty = _PENALTY * layer.weight.square().sum() / 2
        objective = ((losses_N * weights_N).sum() + penalty) / weights_N.sum()
        objective.backward()
        return objective

    optimizer.step(closure)
    optimizer.zero_grad()
