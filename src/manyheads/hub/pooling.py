"""How a sentence-transformers folder makes one vector of a text."""

from __future__ import annotations

import json
from pathlib import Path

from manyheads.core.spec import Pooling
from manyheads.errors import ConfigError


def published_pooling(folder: Path) -> Pooling | None:
    """Return how a sentence-transformers folder pools, or None where it does not say.

    Raises `ConfigError` for a file that cannot be read.
    """
    path = folder / "1_Pooling" / "config.json"
    if not (folder / "modules.json").is_file() or not path.is_file():
        return None
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON ({error}); restore it") from error
    mode = settings.get("pooling_mode")
    if settings.get("pooling_mode_mean_tokens") or mode == "mean":
        return Pooling.MEAN
    if settings.get("pooling_mode_cls_token") or mode == "cls":
        return Pooling.FIRST
    return None
