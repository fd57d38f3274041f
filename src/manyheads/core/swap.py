"""Replace modules of a model by others, without subclassing the model."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn


def swap(model: nn.Module, replace: Callable[[str, nn.Module], nn.Module | None]) -> list[str]:
    """Ask `replace(path, module)` for every submodule and put in what it returns.

    None keeps the module and goes on inside it. What is replaced is let go at once, so that a large
    model is never there twice. Returns the paths that were replaced.
    """
    replaced: list[str] = []
    for path in [path for path, _ in model.named_modules() if path]:
        if any(path.startswith(f"{parent}.") for parent in replaced):
            continue
        substitute = replace(path, model.get_submodule(path))
        if substitute is not None:
            model.set_submodule(path, substitute)
            replaced.append(path)
    return replaced
