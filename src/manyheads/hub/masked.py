"""Encoders with an output for masked tokens: taken from what was published, or made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from manyheads.core.output import Output
from manyheads.core.spec import Spec
from manyheads.core.transformer import Transformer, initialize
from manyheads.hub.load import Pretrained, Undrawn, fill
from manyheads.hub.save import write_folder


def with_masked_output(model: Pretrained, seed: int = 0) -> Pretrained:
    """Return the model with an output for masked tokens, published where there is one.

    What is missing is drawn fresh; the projection is always the table of token vectors. Raises
    `ConfigError` for a family that is not published with such an output.
    """
    published, rest = _published(model)
    transformer = Transformer(_spec(model))
    initialize(transformer, seed=seed)
    _take(transformer, model.transformer.state_dict() | published)
    return replace(model, transformer=transformer.eval(), head_weights=rest)


def publishes_masked_output(model: Pretrained) -> bool:
    """Whether the model was published with all weights of its output for masked tokens."""
    if model.family.masked is None:
        return False
    published, _ = _published(model)
    return bool(published) and _names(_spec(model)) <= published.keys()


def with_published_output(model: Pretrained) -> Pretrained:
    """Return the model with its published output for masked tokens; nothing of it is drawn.

    Raises `CheckpointError` listing what of the output is missing, `ConfigError` for a family that
    is not published with one.
    """
    published, rest = _published(model)
    with torch.device("meta"), Undrawn():
        transformer = Transformer(_spec(model))
    body = model.transformer.state_dict()
    dtype = model.transformer.table.weight.dtype
    device = model.transformer.device
    fill(transformer, body | published, device, dtype, source=str(model.folder))
    return replace(model, transformer=transformer.eval(), head_weights=rest)


def _published(model: Pretrained) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the weights of the output by our names, and those of other heads."""
    tensors, rest = model.family.require_masked().rules.to_ours(model.head_weights)
    return {name: one for name, one in tensors.items() if name.startswith("output.")}, rest


def _spec(model: Pretrained) -> Spec:
    format_ = model.family.require_masked()
    return replace(model.transformer.spec, output=format_.to_spec(model.config))


def _names(spec: Spec) -> set[str]:
    """Return the names of all weights of an output."""
    assert spec.output is not None
    with torch.device("meta"), Undrawn():
        output = Output(spec.output, spec.embed.vocabulary, spec.width, spec.embed.width)
    return {f"output.{name}" for name, _ in output.named_parameters()}


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
