"""Encoders with an output for masked tokens: taken from what was published, or made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from manyheads.core.transformer import Transformer, initialize
from manyheads.hub.load import Pretrained
from manyheads.hub.save import write_folder


def with_masked_output(model: Pretrained, seed: int = 0) -> Pretrained:
    """Return the model with an output for masked tokens, published where there is one.

    What is missing is drawn fresh; the projection is always the table of token vectors. Raises
    `ConfigError` for a family that is not published with such an output.
    """
    format_ = model.family.require_masked()
    published, rest = format_.rules.to_ours(model.head_weights)
    spec = replace(model.transformer.spec, output=format_.to_spec(model.config))
    transformer = Transformer(spec)
    initialize(transformer, seed=seed)
    found = {name: t for name, t in published.items() if name.startswith("output.")}
    _take(transformer, model.transformer.state_dict() | found)
    return replace(model, transformer=transformer.eval(), head_weights=rest)


def save_with_masked_output(folder: Path, model: Pretrained) -> None:
    """Write body and output, so that `transformers` fills masked tokens with equal logits."""
    family, format_ = model.family, model.family.require_masked()
    rules = family.rules + format_.rules
    tensors = rules.to_theirs(model.transformer.state_dict(), model.transformer.spec)
    write_folder(folder, model, model.config, model.head_weights | tensors, format_.architecture)


def _take(transformer: Transformer, tensors: dict[str, Tensor]) -> None:
    """Load the tensors that fit."""
    with torch.no_grad():
        for name, own in transformer.state_dict().items():
            if name in tensors and tensors[name].shape == own.shape:
                own.copy_(tensors[name])
