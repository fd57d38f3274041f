"""What a folder says of its predictor: in its manifest, or by the head that was published in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manyheads.errors import ConfigError
from manyheads.families import HeadFormat
from manyheads.hub import Pretrained
from manyheads.hub.masked import publishes_masked_output
from manyheads.hub.sentences import makes_vectors
from manyheads.predict.folder import MANIFEST, read_manifest
from manyheads.predict.settings import ManySettings, Settings, TextSettings
from manyheads.tasks import (
    Answering,
    Classification,
    ImageClassification,
    ManyHeads,
    MaskedLanguageModel,
    MultiLabel,
    Regression,
    Tagging,
    Task,
    task_type,
)
from manyheads.text import Cleaning, Head, Windows, truncation_from_json


def is_embedder(folder: Path) -> bool:
    """Whether `load` opens a folder as an `Embedder`; raises `ConfigError` as `load` does."""
    return read_manifest(folder) is None and makes_vectors(folder)


def settings_of(folder: Path, pretrained: Pretrained) -> Settings | None:
    """Return what the manifest says, or what follows from the head that was published.

    None for a model without a task. Raises `ConfigError` for a manifest that cannot be read.
    """
    manifest = read_manifest(folder)
    if manifest is not None:
        return _saved_settings(manifest, folder / MANIFEST)
    task: Task
    if pretrained.is_sequence_classifier:
        task = _published_task(pretrained)
    elif pretrained.is_token_classifier:
        return _published_tagger(pretrained)
    elif pretrained.is_answerer:
        longest = pretrained.longest_input
        return TextSettings(Answering(), Cleaning(), Windows(longest, longest // 4))
    elif publishes_masked_output(pretrained):
        task = MaskedLanguageModel()
    else:
        return None
    if isinstance(task, ImageClassification):
        return Settings(task)
    return TextSettings(task, Cleaning(), Head(pretrained.longest_input))


def _saved_settings(manifest: dict[str, Any], path: Path) -> Settings:
    try:
        task = task_type(manifest["task"]["name"]).from_json(manifest["task"])
        if isinstance(task, ImageClassification):
            return Settings(task)
        if isinstance(task, ManyHeads):
            return _saved_heads(task, manifest)
        return TextSettings(
            task,
            Cleaning.from_json(manifest["cleaning"]),
            truncation_from_json(manifest["truncation"]),
            manifest.get("target_tokens"),
            manifest.get("paired", False),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} lacks what it should say ({error}); restore it") from error


def _saved_heads(task: ManyHeads, manifest: dict[str, Any]) -> ManySettings:
    truncations = manifest["truncation"].items()
    return ManySettings(
        task,
        Cleaning.from_json(manifest["cleaning"]),
        {head: truncation_from_json(one) for head, one in truncations},
        manifest["blocks"],
    )


def _published_tagger(pretrained: Pretrained) -> TextSettings:
    """Return the task of a published head for tokens; long texts are read in windows."""
    labels = _published_labels(pretrained, pretrained.family.require_token_head())
    longest = pretrained.longest_input
    return TextSettings(Tagging(labels, strict=False), Cleaning(), Windows(longest, longest // 4))


def _published_task(pretrained: Pretrained) -> Task:
    """Return the task of a published head, which its config.json need not spell out."""
    labels = _published_labels(pretrained, pretrained.family.require_sequence_head())
    kind = pretrained.config.get("problem_type")
    if pretrained.transformer.spec.embed.patches is not None:
        if kind not in (None, ImageClassification.problem_type):
            raise ConfigError(
                f"problem_type={kind!r} of a model that reads images is not understood; models "
                "with one label for each image are"
            )
        return ImageClassification(labels=labels)
    if kind == MultiLabel.problem_type:
        return MultiLabel(labels=labels)
    if kind == Regression.problem_type or (kind is None and len(labels) == 1):
        return Regression()
    return Classification(labels=labels)


def _published_labels(pretrained: Pretrained, format_: HeadFormat) -> tuple[str, ...]:
    """Return the names of a head's outputs, numbered where its config.json names none."""
    tensors, _ = format_.rules.to_ours(pretrained.head_weights)
    found = pretrained.config.get("id2label") or {}
    names = {int(number): name for number, name in found.items()}
    outputs = len(names) or len(tensors.get("out.bias", ()))
    return tuple(names.get(number, f"LABEL_{number}") for number in range(outputs))
