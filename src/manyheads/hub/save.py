"""Write a Hugging Face model folder that other tools open."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from manyheads.core.transformer import Transformer
from manyheads.families import Config, Family
from manyheads.hub.checkpoint import CONFIG, WEIGHTS, write_weights
from manyheads.hub.generation import GENERATION
from manyheads.hub.load import Pretrained
from manyheads.text import Tokenizer


def save_model(folder: Path, model: Pretrained) -> None:
    """Write the model as it was published: body, the heads it came with, tokenizer.

    So is what its folder says about writing.
    """
    family = model.family
    heads = model.head_weights
    architectures = model.config.get("architectures") or [family.architecture]
    tensors = family.rules.to_theirs(model.transformer.state_dict(), model.transformer.spec) | heads
    bare = (
        model.transformer.spec.output is None
    )  # a body alone has no other name to keep apart from
    if bare and architectures == [family.architecture]:
        tensors = {name.removeprefix(family.prefix): tensor for name, tensor in tensors.items()}
    write_folder(
        folder, model.transformer, model.tokenizer, family, model.config, tensors, architectures[0]
    )
    _keep_generation(folder, model)


def _keep_generation(folder: Path, model: Pretrained) -> None:
    source = None if model.folder is None else model.folder / GENERATION
    if source is None or not source.is_file():
        return
    content = source.read_bytes()  # before the folder is written to, which may be the same
    (folder / GENERATION).write_bytes(content)


def save_with_sequence_head(
    folder: Path,
    model: Pretrained,
    head: Mapping[str, Tensor],
    settings: Config,
) -> None:
    """Write body and classification head, so that `transformers` computes the same logits.

    `head` is the state of a `SequenceHead`; `settings` are the configuration's keys about the
    task (labels by name, kind of problem).
    """
    family = model.family
    tensors = family.rules.to_theirs(model.transformer.state_dict(), model.transformer.spec)
    tensors |= family.require_sequence_head().rules.to_theirs(head)
    write_folder(
        folder,
        model.transformer,
        model.tokenizer,
        family,
        model.config | settings,
        tensors,
        family.require_sequence_head().architecture,
    )


def write_folder(
    folder: Path,
    transformer: Transformer,
    tokenizer: Tokenizer,
    family: Family,
    config: Config,
    tensors: Mapping[str, Tensor],
    architecture: str,
) -> None:
    """Write config.json, weights and tokenizer; the spec has the last word on the configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    body = family.to_config(transformer.spec)
    dtype = str(transformer.embed.tokens.weight.dtype).removeprefix("torch.")
    written = config | body
    written |= {"model_type": family.name, "architectures": [architecture], "dtype": dtype}
    written.pop("torch_dtype", None)
    text = json.dumps(written, indent=2, ensure_ascii=False, sort_keys=True)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
    write_weights(folder, tensors)
    # safetensors gives its file to the owner alone; who may read the model may read its weights.
    shutil.copymode(folder / CONFIG, folder / WEIGHTS)
    tokenizer.save(folder)
