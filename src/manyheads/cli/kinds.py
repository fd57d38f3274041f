"""Which task an option or the data mean, and which model from scratch belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from manyheads.cli.options import Augment, TaskKind
from manyheads.errors import ConfigError, DataError, RecipeError

if TYPE_CHECKING:
    from manyheads.data import Dataset
    from manyheads.hub.scratch import Blueprint
    from manyheads.tasks import Balance

PAIRED = (TaskKind.TEXT_TO_TEXT, TaskKind.TRANSLATION, TaskKind.SUMMARIZATION)
WRITING = (*PAIRED, TaskKind.LANGUAGE_MODEL)


def usual_kind(data: Dataset) -> TaskKind:
    """Return the task that the columns are for; raises `DataError` where they are for none."""
    columns = data.train.columns
    if "image" in columns:
        return TaskKind.IMAGE_CLASSIFICATION
    if "target" in columns:
        return TaskKind.TEXT_TO_TEXT
    if "negative" in columns:
        return TaskKind.EMBEDDING
    if "label" not in columns:
        raise DataError(
            f"{data.train.source}: which column holds the labels, or the texts to write? Choose "
            "--label COL or --target COL, or --task language-model for plain text, --task "
            "embedding for pairs"
        )
    from manyheads.data.questions import holds_questions
    from manyheads.text.annotation import hold_tags

    if holds_questions(data.train, data.names):
        return TaskKind.ANSWERING
    if hold_tags(columns["label"]):
        return TaskKind.TAGGING
    lists = any(isinstance(label, list | tuple) for label in columns["label"])
    return TaskKind.MULTI_LABEL if lists else TaskKind.CLASSIFICATION


def writing_task(kind: TaskKind, given: dict[str, Any], beams: int | None) -> Any:
    """Return the task of a model that writes, or that fills masks; None is as is usual."""
    from manyheads.generate import Beam, Settings
    from manyheads.tasks import (
        LanguageModel,
        MaskedLanguageModel,
        Summarization,
        TextToText,
        Translation,
    )

    if kind is TaskKind.LANGUAGE_MODEL:
        return LanguageModel()
    if kind is TaskKind.MASKED_LANGUAGE_MODEL:
        return MaskedLanguageModel()
    paired = {
        TaskKind.TEXT_TO_TEXT: TextToText,
        TaskKind.TRANSLATION: Translation,
        TaskKind.SUMMARIZATION: Summarization,
    }
    search = Settings() if beams is None else Settings(Beam(beams))
    return paired[kind](
        search=search, **{n: value for n, value in given.items() if value is not None}
    )


def image_task(
    balance: Balance | None, label_smoothing: float, augment: Sequence[Augment] | None
) -> Any:
    """Return the task of labels for images; None is changed in training as is usual.

    Raises `RecipeError` for no change beside others.
    """
    from manyheads.tasks import Erase, Flip, ImageClassification, Mixup, Shift

    if augment is None:
        return ImageClassification(class_weights=balance, label_smoothing=label_smoothing)
    if Augment.NONE in augment and len(augment) > 1:
        raise RecipeError("--augment none leaves images as they are; choose it, or the others")
    changes = {
        Augment.SHIFT: (Shift(),),
        Augment.FLIP: (Flip(),),
        Augment.ERASE: (Erase(),),
        Augment.MIXUP: (Mixup(),),
        Augment.NONE: (),
    }
    chosen = tuple(change for one in dict.fromkeys(augment) for change in changes[one])
    return ImageClassification(
        class_weights=balance, label_smoothing=label_smoothing, augmentation=chosen
    )


def image_blueprint(sizes: dict[str, int], vocabulary: int | None) -> Blueprint:
    """Return the model of images from scratch, of the sizes that are given.

    Raises `ConfigError` for a vocabulary.
    """
    from manyheads.hub.scratch_images import ScratchImages

    if vocabulary is not None:
        raise ConfigError("--vocabulary is for models of texts; leave it out for images")
    return ScratchImages(**sizes)


def blueprint_of(kind: TaskKind, sizes: dict[str, int], vocabulary: int | None) -> Blueprint:
    """Return the model from scratch for a task, of the sizes that are given."""
    from manyheads.hub.scratch import Scratch, ScratchDecoder, ScratchSeq2Seq
    from manyheads.text import BytePair

    blueprint = Scratch
    if kind in WRITING:
        blueprint = ScratchSeq2Seq if kind in PAIRED else ScratchDecoder
    if vocabulary is None:
        return blueprint(**sizes)
    # What is written keeps its capitals.
    return blueprint(**sizes, tokenizer=BytePair(vocabulary, lowercase=kind not in WRITING))
