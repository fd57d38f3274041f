"""Open models on the right device, and show that something goes on meanwhile."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from manyheads.errors import ConfigError

Opened = TypeVar("Opened")


def device_of(name: str | None) -> str:
    """Return the device of that name, or the fastest one.

    Raises `ConfigError` where this machine has no such device.
    """
    import torch

    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError):
        there = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise ConfigError(
            f"this machine has no device {name!r}; choose one of {', '.join(there)}"
        ) from None
    return name


def opened_as(kind: type[Opened], reference: str, device: str | None, otherwise: str) -> Opened:
    """Return the model of a reference, if it is of that kind.

    Raises `ConfigError` for one that answers something else; `otherwise` says what it does not.
    """
    from manyheads.predict import load, task_of

    opened = load(reference, device=device_of(device))
    if not isinstance(opened, kind):
        raise ConfigError(f"{reference} is a model for {task_of(opened)}, which {otherwise}")
    return opened


def busy(what: str, quiet: bool) -> AbstractContextManager[object]:
    """Show on a terminal what goes on while nothing else is shown."""
    if quiet:
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(f"{what} …")
