"""`manyheads info`: what a model or predictor is."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from manyheads.cli import options
from manyheads.cli.output import show


def info(
    model: Annotated[str, typer.Argument(help="Folder, package:NAME/PATH or Hub id.")],
    as_json: options.Json = False,
) -> None:
    """Say what a model is: family, sizes, labels, what it reads."""
    from manyheads.hub import load_model, locate
    from manyheads.predict import longest_input, settings_of

    folder = locate(model)
    pretrained = load_model(folder)
    spec = pretrained.transformer.spec
    attention = spec.encoder.blocks[0].attention
    facts: dict[str, Any] = {
        "folder": str(folder),
        "family": pretrained.family.name,
        "layers": len(spec.encoder.blocks),
        "width": spec.width,
        "heads": attention.heads,
        "vocabulary": spec.embed.vocabulary,
        "parameters": sum(one.numel() for one in pretrained.transformer.parameters()),
        "max_tokens": longest_input(pretrained),
        "head_weights": sorted(pretrained.head_weights),
        "files": sorted(path.name for path in folder.iterdir() if path.is_file()),
    }
    settings = settings_of(folder, pretrained)
    if settings is not None:
        facts |= {
            "task": settings.task.name,
            "labels": list(settings.task.labels),
            "cleaning": settings.cleaning.to_json(),
            "truncation": settings.truncation.to_json(),
        }
    lines = (f"{name:<13} {_plain(value)}" for name, value in facts.items())
    show("\n".join(lines), facts, as_json)


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "–"
    if isinstance(value, dict):
        return ", ".join(f"{key}={one}" for key, one in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
