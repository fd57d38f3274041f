"""What a run that is over must have in common with the one that is asked for now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import torch

from manyheads.errors import RecipeError
from manyheads.hub import Pretrained
from manyheads.hub.scratch import Blueprint

Model = str | Path | Pretrained | Blueprint


def model_fact(model: Model) -> str:
    """Return what tells a model from others, in every process: a reference, sizes or a checksum."""
    if isinstance(model, Pretrained):
        return _checksum(model)
    if isinstance(model, str | Path):
        return str(model)
    # What prints its address in memory would be another model in each process.
    return repr(model) if is_dataclass(model) else type(model).__qualname__


def require_same(saved: Mapping[str, Any], mine: Mapping[str, Any], home: Path) -> None:
    """Raise `RecipeError` naming all in which the run in `home` differs from the one asked for."""
    changed = [name for name in {**saved, **mine} if saved.get(name) != mine.get(name)]
    if changed:
        raise RecipeError(
            f"{home} was trained with another {' and another '.join(changed)}; resume with the "
            "same, or begin anew without resume"
        )


def _checksum(model: Pretrained) -> str:
    """Return a checksum of all that an opened model brings: sizes, tokenizers and weights."""
    tokenizers = [
        None if one is None else one.to_json() for one in (model.tokenizer, model.target_tokenizer)
    ]
    settings = [model.config, tokenizers, model.preprocessor, str(model.pooling)]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for name, tensor in {**model.transformer.state_dict(), **model.head_weights}.items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
