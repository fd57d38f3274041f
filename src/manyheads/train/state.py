"""Everything a run needs to go on as if it had never stopped, as tensors and JSON; no pickle."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.amp import GradScaler

from manyheads.errors import CheckpointError
from manyheads.train.adamw import AdamW

_MODEL = "model."
_OPTIMIZER = "optimizer."
_RANDOM = "random."


@dataclass(frozen=True, slots=True)
class TrainingState:
    """A run after `step` updates: its tensors, and the facts that JSON can hold."""

    step: int
    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    @classmethod
    def capture(
        cls,
        step: int,
        model: nn.Module,
        optimizer: AdamW,
        facts: Mapping[str, Any],
        scaler: GradScaler | None = None,
    ) -> TrainingState:
        """Return the state of a run: weights, optimizer, random generators and the caller's facts.

        The tensors are the live ones; save the state before the next update changes them.
        """
        assert not facts.keys() & {"optimizer", "random", "scaler"}, "names that the state needs"
        moments = {_OPTIMIZER + name: tensor for name, tensor in optimizer.tensors().items()}
        random_tensors, generators = pack_random()
        return cls(
            step,
            pack_model(model) | moments | random_tensors,
            {
                **facts,
                "optimizer": optimizer.settings(),
                "random": generators,
                "scaler": scaler.state_dict() if scaler else {},
            },
        )

    def restore(self, model: nn.Module, optimizer: AdamW, scaler: GradScaler | None = None) -> None:
        """Put everything back that `capture` took.

        Raises `CheckpointError` where model or optimizer are not built as they were.
        """
        unpack_model(model, self.tensors)
        optimizer.restore(below(_OPTIMIZER, self.tensors), self.facts["optimizer"])
        if scaler and self.facts["scaler"]:
            scaler.load_state_dict(self.facts["scaler"])
        unpack_random(self.tensors, self.facts["random"])


def pack_model(model: nn.Module) -> dict[str, Tensor]:
    """Return weights and buffers under the names ``model.…``."""
    return {_MODEL + name: tensor for name, tensor in model.state_dict().items()}


def unpack_model(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load what `pack_model` gave; raises `CheckpointError` listing what does not fit."""
    weights = below(_MODEL, tensors)
    expected = model.state_dict()
    misfits = [f"{name} is missing" for name in expected.keys() - weights.keys()]
    misfits += [f"{name} is unknown" for name in weights.keys() - expected.keys()]
    misfits += [
        f"{name} has shape {tuple(weights[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    if misfits:
        raise CheckpointError(
            f"the checkpoint is of another model: {'; '.join(sorted(misfits))}; "
            "resume with the model that the run began with, or begin a new run"
        )
    model.load_state_dict(weights)


def pack_random() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the states of the generators of torch (CPU, CUDA), NumPy and Python."""
    tensors = {f"{_RANDOM}cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        for device, state in enumerate(torch.cuda.get_rng_state_all()):
            tensors[f"{_RANDOM}cuda.{device}"] = state
    version, numbers, gauss = random.getstate()
    numpy_state: Any = np.random.get_state(legacy=False)
    return tensors, {
        "python": [version, list(numbers), gauss],
        "numpy": numpy_state
        | {"state": {**numpy_state["state"], "key": numpy_state["state"]["key"].tolist()}},
    }


def unpack_random(tensors: Mapping[str, Tensor], generators: Mapping[str, Any]) -> None:
    """Set the generators to what `pack_random` gave; devices that are not here are left out."""
    torch.set_rng_state(tensors[f"{_RANDOM}cpu"])
    for device in range(torch.cuda.device_count()):
        if (state := tensors.get(f"{_RANDOM}cuda.{device}")) is not None:
            torch.cuda.set_rng_state(state, device)
    version, numbers, gauss = generators["python"]
    random.setstate((version, tuple(numbers), gauss))
    twister = generators["numpy"]
    key = np.array(twister["state"]["key"], dtype=np.uint32)
    np.random.set_state({**twister, "state": {**twister["state"], "key": key}})


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix`, under the rest of their names."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
