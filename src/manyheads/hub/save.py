"""Write a Hugging Face model folder that other tools open."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from manyheads.families import Config, HeadFormat
from manyheads.hub.checkpoint import CONFIG, PREPROCESSOR, WEIGHTS, write_json, write_weights
from manyheads.hub.generation import GENERATION
from manyheads.hub.load import TARGET_TOKENIZER, Pretrained

# What a configuration says of a single head.
_OF_A_HEAD = ("id2label", "label2id", "problem_type", "num_labels")


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
    write_folder(folder, model, model.config, tensors, architectures[0])
    target = folder / TARGET_TOKENIZER
    if model.target_tokenizer is not None:
        model.target_tokenizer.save(target)
    elif target.is_dir():  # of a model that was here before
        shutil.rmtree(target)
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
    _save_with_head(folder, model, model.family.require_sequence_head(), head, settings)


def save_with_token_head(
    folder: Path,
    model: Pretrained,
    head: Mapping[str, Tensor],
    settings: Config,
) -> None:
    """Write body and the head for single tokens, as `save_with_sequence_head` does."""
    _save_with_head(folder, model, model.family.require_token_head(), head, settings)


def save_with_span_head(
    folder: Path,
    model: Pretrained,
    head: Mapping[str, Tensor],
    settings: Config,
) -> None:
    """Write body and the head for answers, as `save_with_sequence_head` does."""
    _save_with_head(folder, model, model.family.require_span_head(), head, settings)


def _save_with_head(
    folder: Path,
    model: Pretrained,
    format_: HeadFormat,
    head: Mapping[str, Tensor],
    settings: Config,
) -> None:
    family = model.family
    tensors = family.rules.to_theirs(model.transformer.state_dict(), model.transformer.spec)
    tensors |= format_.rules.to_theirs(head)
    tensors |= {n: t for n, t in model.head_weights.items() if n.startswith(format_.unread)}
    write_folder(folder, model, model.config | settings, tensors, format_.architecture)


def save_with_heads(
    folder: Path, model: Pretrained, heads: Mapping[str, tuple[HeadFormat, Mapping[str, Tensor]]]
) -> None:
    """Write a body with several heads, which other tools open as the body alone.

    `heads` are the formats and states of `SequenceHead`s by name; their weights have the names
    that their family publishes, behind `head_prefix`.
    """
    family, transformer = model.family, model.transformer
    tensors = family.rules.to_theirs(transformer.state_dict(), transformer.spec)
    for name, (format_, state) in heads.items():
        published = format_.rules.to_theirs(state)
        tensors |= {head_prefix(name) + its_name: t for its_name, t in published.items()}
    config = {key: value for key, value in model.config.items() if key not in _OF_A_HEAD}
    write_folder(folder, model, config, tensors, family.architecture)


def head_prefix(name: str) -> str:
    """Return what stands before the names of the weights of one head of several."""
    return f"heads.{name}."


def write_folder(
    folder: Path,
    model: Pretrained,
    config: Config,
    tensors: Mapping[str, Tensor],
    architecture: str,
) -> None:
    """Write config.json, weights, and what makes texts or images ready for the model.

    The spec has the last word on the configuration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    body = model.family.to_config(model.transformer.spec)
    dtype = str(next(model.transformer.parameters()).dtype).removeprefix("torch.")
    written = config | body
    written |= {"model_type": model.family.name, "architectures": [architecture], "dtype": dtype}
    written.pop("torch_dtype", None)
    write_json(folder / CONFIG, written)
    write_weights(folder, tensors)
    # safetensors gives its file to the owner alone; who may read the model may read its weights.
    shutil.copymode(folder / CONFIG, folder / WEIGHTS)
    if model.preprocessor is not None:
        write_json(folder / PREPROCESSOR, model.preprocessor)
    if model.tokenizer is not None:
        model.tokenizer.save(folder)
