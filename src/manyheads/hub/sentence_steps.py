"""The modules of sentence-transformers that stand behind the pooling, each in its own folder.

Dense        config.json, model.safetensors      activation(x·Wᵀ + b)
LayerNorm    config.json, model.safetensors
Normalize    config.json, or nothing             unit length
Dropout      config.json                         nothing, where nothing is learnt
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from manyheads.core.spec import Activation, LayerNorm
from manyheads.core.vectors import Projection, Step, UnitLength
from manyheads.errors import ConfigError
from manyheads.hub.checkpoint import CONFIG, read_object, read_weights, write_json, write_weights

KINDS = ("Dense", "LayerNorm", "Normalize", "Dropout")

_ACTIVATIONS: dict[str, Activation | None] = {
    "Identity": None,
    "Tanh": Activation.TANH,
    "ReLU": Activation.RELU,
    "GELU": Activation.GELU,
    "SiLU": Activation.SILU,
}
_PATHS = {
    None: "torch.nn.modules.linear.Identity",
    **{
        activation: f"torch.nn.modules.activation.{name}"
        for name, activation in _ACTIVATIONS.items()
        if activation
    },
}
_NORM = LayerNorm(1e-5)
# What any of these modules may say where it asks for nothing unusual.
_USUAL = {
    "module_input_name": "sentence_embedding",
    "module_output_name": "sentence_embedding",
    "use_residual": False,
}
# A module's name for its layer, and ours.
_LAYERS = {"Dense": ("linear", "0"), "LayerNorm": ("norm", "")}


def read_step(kind: str, folder: Path) -> tuple[Step | None, dict[str, Tensor]]:
    """Return the step that a module is, with its weights as a `VectorHead` names them in it.

    None for a module that does nothing where nothing is learnt. Raises `ConfigError` for what a
    module says that is not understood, `CheckpointError` for weights that cannot be read.
    """
    config = folder / CONFIG
    settings = understood(config, _KNOWN[kind]) if config.is_file() else {}
    match kind:
        case "Dense":
            return _projection(config, settings), _weights(kind, folder)
        case "LayerNorm":
            return _NORM, _weights(kind, folder)
        case "Normalize":
            return UnitLength(), {}
        case _:
            return None, {}


def write_step(step: Step, folder: Path, width: int, tensors: Mapping[str, Tensor]) -> None:
    """Write a step on vectors of that width, and its weights, as the module that it is."""
    folder.mkdir(parents=True, exist_ok=True)
    kind, settings = kind_of(step), dict[str, Any]()
    match step:
        case Projection():
            settings = {
                "in_features": width,
                "out_features": step.width,
                "bias": step.bias,
                "activation_function": _PATHS[step.activation],
            }
        case LayerNorm():
            settings = {"dimension": width}
        case UnitLength():
            pass
    write_json(folder / CONFIG, settings)
    if tensors:
        theirs, ours = _LAYERS[kind]
        write_weights(folder, {_moved(name, ours, theirs): one for name, one in tensors.items()})


def kind_of(step: Step) -> str:
    """Return the module that a step is."""
    match step:
        case Projection():
            return "Dense"
        case LayerNorm():
            return "LayerNorm"
        case UnitLength():
            return "Normalize"


def understood(path: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a file; `known` says which there are, and what each must be, if so.

    Raises `ConfigError` for others, because they would change what comes out.
    """
    settings = read_object(path)
    for name, value in settings.items():
        if name not in known or (known[name] is not ... and value != known[name]):
            must = f"; only {known[name]!r} is" if name in known else ""
            raise ConfigError(f"{path} says {name}={value!r}, which is not understood{must}")
    return settings


_KNOWN: dict[str, dict[str, Any]] = {
    "Dense": _USUAL
    | {"in_features": ..., "out_features": ..., "bias": ..., "activation_function": ...},
    "LayerNorm": _USUAL | {"dimension": ...},
    "Normalize": _USUAL,
    "Dropout": _USUAL | {"dropout": ...},
}


def _projection(path: Path, settings: Mapping[str, Any]) -> Projection:
    name = settings.get("activation_function", "torch.nn.modules.activation.Tanh")
    activation = str(name).removeprefix("torch.nn.modules.").rpartition(".")[2]
    if not str(name).startswith("torch.nn.") or activation not in _ACTIVATIONS:
        raise ConfigError(
            f"{path} says activation_function={name!r}, which is not understood; known are "
            f"{', '.join(_ACTIVATIONS)} of torch.nn"
        )
    if not isinstance(settings.get("out_features"), int):
        raise ConfigError(f"{path} lacks out_features; restore it")
    return Projection(
        settings["out_features"], settings.get("bias", True), _ACTIVATIONS[activation]
    )


def _weights(kind: str, folder: Path) -> dict[str, Tensor]:
    theirs, ours = _LAYERS[kind]
    return {_moved(name, theirs, ours): one for name, one in read_weights(folder).items()}


def _moved(name: str, source: str, target: str) -> str:
    """Return the name of a parameter in another layer."""
    parameter = name.removeprefix(source).removeprefix(".")
    return f"{target}.{parameter}" if target else parameter
