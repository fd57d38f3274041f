"""Replace modules of a model by others, without subclassing the model."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn


def swap(model: nn.Module, replace: Callable[[str, nn.Module], nn.Module | None]) -> list[str]:
    """Ask `replace(path, module)` for every submodule and put in what it returns.

    None keeps the module and goes on inside it. Returns the paths that were replaced.
    """
    replaced: list[str] = []
    for path, module in list(model.named_modules()):
        if not path or any(path.startswith(f"{parent}.") for parent in replaced):
            continue
        substitute = replace(path, module)
        if substitute is not None:
            model.set_submodule(path, substitute)
            replaced.append(path)
    return replaced
