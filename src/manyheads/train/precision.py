"""Mixed precision where the device has it: half-width matrix products, float32 weights."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from manyheads.core.machine import multiplies_bfloat16
from manyheads.errors import RecipeError
from manyheads.train.settings import Precision

_DTYPES = {
    Precision.FLOAT32: torch.float32,
    Precision.BFLOAT16: torch.bfloat16,
    Precision.FLOAT16: torch.float16,
}


@dataclass(frozen=True, slots=True)
class MixedPrecision:
    """The number format of the matrix products on one device (Micikevicius et al., 2018)."""

    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context for the forward pass and the loss; float32 changes nothing."""
        return torch.autocast(
            self.device.type, dtype=self.dtype, enabled=self.dtype is not torch.float32
        )

    def scaler(self) -> torch.amp.GradScaler:
        """Return a loss scaler: at work for float16, whose gradients underflow, else inert."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype is torch.float16)


def choose_precision(precision: Precision, device: torch.device) -> MixedPrecision:
    """Return what `precision` means on `device`.

    ``auto`` is bfloat16 where the hardware multiplies it, float16 on older CUDA devices, float32
    elsewhere. Raises `RecipeError` where a format was asked for that the device cannot train in.
    """
    if precision is Precision.AUTO:
        return MixedPrecision(device, _fastest(device))
    if precision is Precision.FLOAT16 and device.type != "cuda":
        raise RecipeError(
            f"precision=float16 needs a CUDA device, and this run is on {device.type}; "
            "choose auto, bfloat16 or float32"
        )
    return MixedPrecision(device, _DTYPES[precision])


def _fastest(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    if device.type == "cpu" and multiplies_bfloat16():
        return torch.bfloat16
    return torch.float32
