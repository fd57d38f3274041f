"""A copy of a model with weights in four bits: nearly the same answers from a fifth of the bytes.

One row of a matrix product takes as long as its weights take to come from memory. Such a copy is
not the model; it is good for guesses that the model itself looks through.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import TypeGuard

import torch
from torch import Tensor, nn

from manyheads.core.packed import PackedLinear, is_plain, tied_projection
from manyheads.core.transformer import Transformer

_FEW = 4  # rows that take less time with rounded weights
_GROUP = 32  # neighbours in a row that share a step and an offset, as in Q4_1 of llama.cpp
_STEPS = 15  # between the smallest and the largest weight of a group
_MIDDLE = 8  # the number that torch takes for zero
_OUTPUTS = 16  # rows of a weight that torch packs together
_LARGEST = 127  # number in eight bits


class _Rounded(nn.Module, ABC):
    """A linear layer whose products are rounded where it has few rows, for inference on CPU.

    It holds the layer that it stands for: many rows take less time there, and are exact.
    """

    def __init__(self, linear: nn.Linear | PackedLinear) -> None:
        super().__init__()
        self._linear = linear

    def forward(self, x_TD: Tensor) -> Tensor:
        """Return activation(x·Wᵀ + b), (T, D) → (T, F)."""
        if len(x_TD) > _FEW:
            exact_TF: Tensor = self._linear(x_TD)
            return exact_TF
        y_TF = self.products(x_TD.bfloat16()).float()
        if isinstance(bias_F := self._linear.bias, Tensor):
            y_TF += bias_F
        if isinstance(self._linear, PackedLinear):
            y_TF = self._linear.activation(y_TF)
        return y_TF

    @abstractmethod
    def products(self, x_TD: Tensor) -> Tensor:
        """Return x·Wᵀ with W rounded, both bfloat16."""


class FourBits(_Rounded):
    """Each group of 32 weights of a row is one of 16 numbers, from its smallest to its largest."""

    def __init__(self, linear: nn.Linear | PackedLinear) -> None:
        super().__init__(linear)
        groups_FGN = linear.weight.detach().unflatten(1, (-1, _GROUP))
        low_FG, high_FG = groups_FGN.amin(-1), groups_FGN.amax(-1)
        step_FG = ((high_FG - low_FG) / _STEPS).clamp_min(torch.finfo(torch.float32).tiny)
        numbers_FGN = ((groups_FGN - low_FG[..., None]) / step_FG[..., None]).round_()
        numbers_FD = numbers_FGN.clamp_(0, _STEPS).int().flatten(1)
        self._weight = torch.ops.aten._convert_weight_to_int4pack_for_cpu(numbers_FD, 1)
        scales_FG2 = torch.stack((step_FG, low_FG + _MIDDLE * step_FG), dim=-1)
        self._scales = scales_FG2.transpose(0, 1).bfloat16().contiguous()

    def products(self, x_TD: Tensor) -> Tensor:
        """Return x·Wᵀ (T, F) with W in four bits."""
        y_TF: Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(
            x_TD, self._weight, _GROUP, self._scales
        )
        return y_TF


class EightBits(_Rounded):
    """Each weight of a row is one of 255 numbers: for outputs, where tokens are neighbours."""

    def __init__(self, linear: nn.Linear | PackedLinear) -> None:
        super().__init__(linear)
        weight_VD = linear.weight.detach()
        step_V = weight_VD.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny) / _LARGEST
        self._weight = (weight_VD / step_V[:, None]).round_().to(torch.int8)
        self._step = step_V.bfloat16()

    def products(self, x_TD: Tensor) -> Tensor:
        """Return x·Wᵀ (T, V) with W in eight bits."""
        y_TV: Tensor = torch.ops.aten._weight_int8pack_mm(x_TD, self._weight, self._step)
        return y_TV


def rounded(transformer: Transformer) -> Transformer:
    """Return a copy of a model that shares all with it, but rounds the products of few rows.

    It keeps an encoder as it is, which reads many rows, and layers that are not float32 on CPU or
    whose sizes do not fit.
    """
    project = None if transformer.output is None else transformer.output.project
    kept: list[object] = [*transformer.parameters(), *transformer.buffers()]
    if transformer.encoder is not None:
        kept += transformer.encoder.modules()
    # `deepcopy` takes what it finds in its memo for a copy that is made already.
    memo: dict[int, object] = {id(one): one for one in kept}
    for module in transformer.modules():
        if id(module) not in memo and _fits(module):
            memo[id(module)] = EightBits(module) if module is project else FourBits(module)
    copied = copy.deepcopy(transformer, memo)
    if (
        copied.output is not None
        and project is None
        and _fits(tied := tied_projection(transformer))
    ):
        copied.output.project = EightBits(tied)
    return copied


def _fits(module: nn.Module) -> TypeGuard[nn.Linear | PackedLinear]:
    if is_plain(module):
        outputs, inputs = module.weight.shape
    elif isinstance(module, PackedLinear):
        outputs, inputs = module.shape
    else:
        return False
    return inputs % _GROUP == 0 and outputs % _OUTPUTS == 0
