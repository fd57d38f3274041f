"""`manyheads info` and `manyheads version`: what a model is, and what runs it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manyheads._version import __version__
from manyheads.cli import options
from manyheads.cli.output import show

if TYPE_CHECKING:
    from pathlib import Path

    from manyheads.hub import Pretrained

_PARTS = (
    "torch",
    "tokenizers",
    "safetensors",
    "pyarrow",
    "scikit-learn",
    "matplotlib",
    "pillow",
    "jieba",
)

Reference = Annotated[
    str,
    typer.Argument(
        metavar="DIR|REF",
        help="A folder, package:NAME/PATH or Hub id.",
        show_default=False,
    ),
]


def info(reference: Reference, as_json: options.Json = False) -> None:
    """Say what a model or a saved predictor is."""
    from manyheads.hub import load_model, locate
    from manyheads.predict import is_embedder, parts_of

    folder = locate(reference)
    if parts := parts_of(folder):
        facts = _of_ensemble(folder, parts)
    elif is_embedder(folder):
        facts = _of_embedder(folder)
    else:
        facts = facts_of(folder, load_model(folder))
    facts["files"] = _files(folder)
    show(_lines(facts), facts, as_json)


def version(as_json: options.Json = False) -> None:
    """Say the version."""
    facts: dict[str, str | None] = {
        "manyheads": __version__,
        "python": platform.python_version(),
    }
    for name in _PARTS:
        try:
            facts[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            facts[name] = None
    show(__version__, facts, as_json)


def facts_of(folder: Path, model: Pretrained) -> dict[str, Any]:
    """Return what there is to know of a model folder, by name."""
    from manyheads.predict import ManySettings, TextSettings, settings_of

    settings = settings_of(folder, model)
    if settings is None:
        return {**_of_model(folder, model), "task": None, "labels": []}
    facts = {
        **_of_model(folder, model),
        "task": settings.task.name,
        "labels": settings.task.to_json().get("labels", []),
    }
    if isinstance(settings, ManySettings):
        facts["cleaning"] = settings.cleaning.to_json()
        facts["tasks"] = {
            head: f"{one['name']} ({', '.join(one.get('labels', ()))})".removesuffix(" ()")
            for head, one in settings.task.to_json()["heads"].items()
        }
    if isinstance(settings, TextSettings):
        facts["cleaning"] = settings.cleaning.to_json()
        facts["truncation"] = settings.truncation.to_json()
    return facts


def _of_ensemble(folder: Path, parts: Sequence[Path]) -> dict[str, Any]:
    """Return what there is to know of the first part, and how many of its kind there are."""
    from manyheads.hub import load_model

    facts = facts_of(parts[0], load_model(parts[0]))
    parameters = facts["parameters"] * len(parts)
    names = [part.name for part in parts]
    return {**facts, "folder": str(folder), "parameters": parameters, "ensemble": names}


def _of_embedder(folder: Path) -> dict[str, Any]:
    from manyheads.hub import load_model
    from manyheads.hub.sentences import read_sentences
    from manyheads.predict import Embedder

    sentences = read_sentences(folder)
    assert sentences is not None
    pretrained = load_model(folder / sentences.body)
    facts = _of_model(folder, pretrained)  # before an embedder packs its weights
    embedder = Embedder(pretrained, sentences)
    return {
        **facts,
        "task": "vectors of texts",
        "pooling": [pooling.value for pooling in embedder.sentences.spec.poolings],
        "dimensions": embedder.dimensions,
        "unit_length": embedder.sentences.spec.has_unit_length,
        "similarity": embedder.sentences.similarity.value,
        "prompts": list(embedder.prompts),
        "truncation": embedder.truncation.to_json(),
    }


def _of_model(folder: Path, model: Pretrained) -> dict[str, Any]:
    spec = model.transformer.spec
    stacks = {"encoder": spec.encoder, "decoder": spec.decoder}
    layers = {name: len(stack.blocks) for name, stack in stacks.items() if stack is not None}
    block = next(stack.blocks[0] for stack in stacks.values() if stack is not None)
    parameters = [*model.transformer.parameters(), *model.head_weights.values()]
    return {
        "folder": str(folder),
        "family": model.family.name,
        "layers": sum(layers.values()),
        "stacks": layers,
        "width": spec.width,
        "heads": block.attention.heads,
        "feedforward": block.feedforward.width,
        "vocabulary": spec.embed.vocabulary,
        "parameters": sum(tensor.numel() for tensor in parameters),
        "max_tokens": model.longest_input,
    }


def _files(folder: Path) -> dict[str, int]:
    """Return the sizes in bytes of the files in a folder, by name."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else [folder]
    return {path.name: path.stat().st_size for path in paths if path.is_file()}


def _lines(facts: dict[str, Any]) -> str:
    lines = []
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {_shown(one)}" for key, one in value.items())
        elif isinstance(value, list):
            value = ", ".join(value)
        lines.append(f"{name.replace('_', ' '):<15}{_shown(value)}")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    match value:
        case None | "":
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case _:
            return str(value)
