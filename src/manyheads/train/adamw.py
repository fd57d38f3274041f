"""AdamW: a step along the mean gradient, divided by its size, and a pull towards zero."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from manyheads.errors import CheckpointError

_MOMENTS = ("mean", "square", "step")


class AdamW:
    """Adam with decoupled weight decay (Kingma & Ba 2015; Loshchilov & Hutter 2019).

    A group is a table with ``params``, ``lr``, ``betas``, ``eps`` and ``weight_decay``; other keys
    are the caller's. The update is torch's, one kernel over all tensors of a group. Its class of
    the same name is not used: it imports torch's compiler, for seconds, before the first step.
    """

    def __init__(self, groups: Sequence[dict[str, Any]]) -> None:
        self.param_groups = list(groups)
        self.parameters: list[nn.Parameter] = [p for g in groups for p in g["params"]]
        self._moments: list[tuple[Tensor, Tensor, Tensor] | None] = [None] * len(self.parameters)
        self._index = {id(parameter): i for i, parameter in enumerate(self.parameters)}
        # One kernel over all parameters where their device has it.
        self.fused = {p.device.type for p in self.parameters} <= {"cpu", "cuda"}

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            means, squares, steps = [], [], []
            for parameter in parameters:
                mean, square, step = self._moments_of(parameter)
                means.append(mean)
                squares.append(square)
                steps.append(step)
            beta1, beta2 = group["betas"]
            adamw(
                parameters,
                [p.grad for p in parameters if p.grad is not None],
                means,
                squares,
                [],
                steps,
                fused=self.fused,
                amsgrad=False,
                beta1=beta1,
                beta2=beta2,
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                maximize=False,
            )

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """Return the live moments, named ``<index of the parameter>.<moment>``."""
        return {
            f"{index}.{name}": tensor
            for index, moments in enumerate(self._moments)
            if moments is not None
            for name, tensor in zip(_MOMENTS, moments, strict=True)
        }

    def settings(self) -> list[dict[str, Any]]:
        """Return the groups as JSON can hold them: the number of parameters instead of those."""
        return [{**group, "params": len(group["params"])} for group in self.param_groups]

    def restore(self, tensors: Mapping[str, Tensor], settings: Sequence[dict[str, Any]]) -> None:
        """Take back what `tensors` and `settings` gave.

        Raises `CheckpointError` where the groups hold other parameters.
        """
        moments: dict[int, dict[str, Tensor]] = defaultdict(dict)
        for name, tensor in tensors.items():
            index, moment = name.split(".")
            # A copy: steps write in place, and this may be a view of the checkpoint's file.
            moments[int(index)][moment] = tensor.to(self.parameters[0].device, copy=True)
        sizes = [len(group["params"]) for group in self.param_groups]
        if [group["params"] for group in settings] != sizes or any(
            one["mean"].shape != self.parameters[index].shape for index, one in moments.items()
        ):
            raise CheckpointError(
                "the checkpoint trains other parameters than this run; resume with the same "
                "freeze and layer_decay, or begin a new run"
            )
        for index in range(len(self.parameters)):
            found = moments.get(index)
            self._moments[index] = (
                None if found is None else (found["mean"], found["square"], found["step"])
            )
        for group, saved in zip(self.param_groups, settings, strict=True):
            group.update({**saved, "params": group["params"], "betas": tuple(saved["betas"])})

    def _moments_of(self, parameter: nn.Parameter) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean gradient, mean square and number of steps of a parameter, zeros at first."""
        index = self._index[id(parameter)]
        moments = self._moments[index]
        if moments is None:
            zeros = torch.zeros_like(parameter, memory_format=torch.preserve_format)
            step = torch.zeros((), device=parameter.device)
            moments = self._moments[index] = (zeros, zeros.clone(), step)
        return moments
