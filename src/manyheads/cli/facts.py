"""What a run depends on besides its arguments and its recipe: data, versions, threads."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manyheads.data import Dataset

_PACKAGES = ("manyheads", "torch", "numpy", "scipy", "tokenizers", "safetensors")


def facts_of(data: Dataset) -> dict[str, Any]:
    """Return checksums of the splits, the versions of what computes, and how it computes."""
    import torch

    return {
        "data": data.fingerprint(),
        "versions": {name: _version(name) for name in _PACKAGES}
        | {"python": platform.python_version()},
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
    }


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return, in a few words each, what is not as it was."""
    changed = []
    for name, old in then.items():
        new = now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changed += differences(old, new)
        elif old != new:
            changed.append(f"{name}: {old} → {new}")
    return changed


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"
