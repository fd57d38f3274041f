"""Encoders with an output for masked tokens: taken from what was published, or made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from manyheads.core.initialize import initialize
from manyheads.core.spec import Spec
from manyheads.core.transformer import Transformer
from manyheads.errors import CheckpointError
from manyheads.hub.load import Pretrained, Undrawn, fill
from manyheads.hub.save import write_folder


def with_masked_output(model: Pretrained, seed: int = 0) -> Pretrained:
    """Return the model with an output for masked tokens, published where there is one.

    What is missing is drawn fresh; the projection is always the table of token vectors. Raises
    `ConfigError` for a family that is not published with such an output, `CheckpointError` where
    what was published does not fit.
    """
    published, rest = _published(model)
    transformer = Transformer(_spec(model))
    initialize(transformer, seed=seed)
    _take(transformer, model.transformer.state_dict() | published)
    return replace(model, transformer=transformer.eval(), head_weights=rest)


def publishes_masked_output(model: Pretrained) -> bool:
    """Whether the model was published as one that fills in masks: by its name, or its weights.

    What a classifier of the family is published with too says nothing. BERT itself was published
    under the name of its pretraining.
    """
    masked, other = model.family.masked, model.family.sequence_head
    if masked is None:
        return False
    weights = model.head_weights if other is None else other.rules.to_ours(model.head_weights)[1]
    named = masked.architecture in (model.config.get("architectures") or ())
    return named or any(name.startswith("output.") for name in masked.rules.to_ours(weights)[0])


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


def save_with_masked_output(folder: Path, model: Pretrained) -> None:
    """Write body and output, so that `transformers` fills masked tokens with equal logits."""
    family, format_ = model.family, model.family.require_masked()
    rules = family.rules + format_.rules
    tensors = rules.to_theirs(model.transformer.state_dict(), model.transformer.spec)
    write_folder(folder, model, model.config, model.head_weights | tensors, format_.architecture)


def _take(transformer: Transformer, tensors: dict[str, Tensor]) -> None:
    """Load the tensors that there are; raises `CheckpointError` for one that does not fit."""
    with torch.no_grad():
        for name, own in transformer.state_dict().items():
            found = tensors.get(name)
            if found is None:
                continue
            if found.shape != own.shape:
                raise CheckpointError(
                    f"the published {name} has the shape {tuple(found.shape)}, but the model needs "
                    f"{tuple(own.shape)}; restore the folder as it was published"
                )
            own.copy_(found)
