"""Open what a predictor saved, and published models that answer without more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from manyheads.errors import ConfigError
from manyheads.hub import Pretrained, load_model, locate
from manyheads.predict.answering import Answerer
from manyheads.predict.embedding import Embedder
from manyheads.predict.ensemble import ensemble
from manyheads.predict.filling import MaskFiller
from manyheads.predict.folder import MANIFEST, parts_of
from manyheads.predict.images import ImagePredictor
from manyheads.predict.manifest import is_embedder, settings_of
from manyheads.predict.many import ManyPredictor
from manyheads.predict.reranker import Reranker
from manyheads.predict.sequence import Predictor
from manyheads.predict.tagging import Tagger
from manyheads.predict.writing import TextGenerator, TextWriter
from manyheads.tasks import (
    Answering,
    Embedding,
    ImageClassification,
    LanguageModel,
    ManyHeads,
    MaskedLanguageModel,
    Reranking,
    SequenceTask,
    Tagging,
    Task,
    TextToText,
)
from manyheads.writer import Generator

# Which predictor answers for which tasks.
_PREDICTORS: dict[type, Any] = {
    Reranking: Reranker,
    SequenceTask: Predictor,
    ImageClassification: ImagePredictor,
    TextToText: TextWriter,
    LanguageModel: TextGenerator,
    MaskedLanguageModel: MaskFiller,
    Tagging: Tagger,
    Answering: Answerer,
    Embedding: Embedder,
    ManyHeads: ManyPredictor,
}


def task_of(opened: Any) -> str:
    """Return what a model that `load` opened is for, in a few words."""
    match opened:
        case Embedder():
            return "vectors of texts"
        case Generator():
            return "writing"
    name: str = opened.task.name
    return name


def predictor_of(task: Task, model: Any, reader: Any, pretrained: Pretrained) -> Any:
    """Return the predictor of a trained model; it is a copy."""
    return _predictor_type(task).of(task, model, reader, pretrained)


def _predictor_type(task: Task) -> Any:
    return next(kind for base, kind in _PREDICTORS.items() if isinstance(task, base))


def load(reference: str | Path, *, device: torch.device | str = "cpu") -> Any:
    """Open a saved predictor, or a published model that classifies, tags, embeds, fills masks, or
    writes.

    What comes back depends on the task: a `Predictor` for labels and numbers, a `Reranker` for how
    relevant documents are, an `ImagePredictor` for labels of images, a `Tagger` for words, an
    `Answerer` for questions about a text, a `TextWriter` for texts from texts, a `TextGenerator`
    for texts that go on, a `MaskFiller` for masked tokens, a `ManyPredictor` for many heads, an
    `Embedder` for a folder of sentence-transformers, a `Generator` for a published model that
    writes. Of the folder of an ensemble, a predictor as of one of its parts.
    Raises `ReferenceNotFound`, `ConfigError` where the folder is no predictor, `CheckpointError`.
    """
    folder = locate(reference)
    if parts := parts_of(folder):
        return ensemble([load(part, device=device) for part in parts])
    if is_embedder(folder):
        return Embedder.open(folder, device=device)
    pretrained = load_model(folder, device=device)
    settings = settings_of(folder, pretrained)
    if settings is None:
        if pretrained.transformer.can_write:
            return Generator(pretrained, device=device)
        raise ConfigError(
            f"{folder} is a model without a task ({MANIFEST} is missing, and so are a published "
            "classifier, a published output for masked tokens, what sentence-transformers writes, "
            "and a decoder); train one with `manyheads train` first, give the folder that training "
            "wrote, or make vectors with mh.Embedder.open"
        )
    return _predictor_type(settings.task).opened(settings, pretrained, device, folder)
