"""The predictor of relevance: documents in the order in which they answer a query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from manyheads.errors import ConfigError, TextError
from manyheads.hub import Pretrained, load_model, locate
from manyheads.hub.checkpoint import read_object
from manyheads.predict.ensemble import ensemble
from manyheads.predict.folder import MANIFEST, parts_of
from manyheads.predict.manifest import is_embedder, settings_of
from manyheads.predict.sequence import Predictor
from manyheads.predict.settings import TextSettings
from manyheads.tasks import Classification, Regression, SequenceTask
from manyheads.text.several import several

_ORDERS_NONE = "orders no documents; choose a cross-encoder, or train one with --task reranking"
_SENTENCES = "config_sentence_transformers.json"
# What a published model says is done to its one output, by the last part of the name.
_SIGMOIDS = {"Sigmoid": True, "Identity": False}


@dataclass(frozen=True)
class Ranked:
    """A document, its number among those that were given, and how relevant it is."""

    index: int
    score: float
    text: str


class Reranker(Predictor):
    """Says how relevant documents are to a query: ``reranker.rank("a query", documents)``.

    What `Reranking` trained, a published cross-encoder with one output, and any classifier of pairs
    with two labels, of which the second one is what counts, or regression of pairs, order documents
    (`Reranker.open`).
    """

    def __init__(self, model: Any, task: Any, reader: Any, pretrained: Pretrained) -> None:
        super().__init__(model, task, reader, pretrained)
        self._score = _scoring(task, pretrained)

    @classmethod
    def open(cls, reference: str | Path, *, device: torch.device | str = "cpu") -> Self:
        """Open what was trained for it, a folder of a cross-encoder, or a classifier of pairs.

        Raises `ConfigError` for a model that orders nothing, and what `load` raises.
        """
        folder = locate(reference)
        if parts := parts_of(folder):
            return ensemble([cls.open(part, device=device) for part in parts])
        if is_embedder(folder):
            raise ConfigError(f"{reference} is a model for vectors of texts, which {_ORDERS_NONE}")
        pretrained = load_model(folder, device=device)
        settings = settings_of(folder, pretrained)
        if not isinstance(settings, TextSettings) or not isinstance(settings.task, SequenceTask):
            what = f"for {settings.task.name}" if settings else "without a task"
            raise ConfigError(f"{reference} is a model {what}, which {_ORDERS_NONE}")
        return cls.opened(settings, pretrained, device, folder)

    def rank(self, query: str, documents: Sequence[str], top_k: int | None = None) -> list[Ranked]:
        """Return documents with their relevance, the most relevant first, all or `top_k` of them.

        Raises `TextError` for what is no text, or a `top_k` below 1.
        """
        if top_k is not None and top_k < 1:
            raise TextError(f"top_k={top_k} asks for no document; choose at least 1")
        documents = several(documents, "documents")
        scores = self.predict([(query, document) for document in documents])
        order = np.argsort(-scores, kind="stable")[:top_k].tolist()
        return [Ranked(place, float(scores[place]), documents[place]) for place in order]

    def predict(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return how relevant the document of each pair of a query and a document is, (N)."""
        if not len(pairs):
            return np.zeros(0, dtype=np.float32)
        queries, documents = ([pair[side] for pair in pairs] for side in (0, 1))
        return self._score(self.outputs(queries, documents)).numpy()


def _scoring(task: Any, pretrained: Pretrained) -> Callable[[Tensor], Tensor]:
    """Return what makes relevance (N) of outputs (N, C); raises `ConfigError` for other models."""
    if isinstance(task, Classification) and len(task.labels) == 2:
        return lambda outputs: task.probabilities(outputs)[:, 1]
    if len(task.labels) != 1:
        raise ConfigError(
            f"the model has the outputs {', '.join(task.labels)}; what orders documents has one, "
            "or is a classifier with two labels"
        )
    if isinstance(task, Regression):
        if not _is_squashed(pretrained):
            return task.values
        return lambda outputs: task.values(outputs).sigmoid()
    return lambda outputs: task.probabilities(outputs)[:, 0]


def _is_squashed(pretrained: Pretrained) -> bool:
    """Whether the one output of a model is to pass a sigmoid: usual, but where its folder says not.

    What we trained ourselves answers in the units of its labels.
    """
    folder = pretrained.folder
    beside = folder if folder is not None and folder.is_dir() else None
    if beside is not None and (beside / MANIFEST).is_file():
        return False
    said = (pretrained.config.get("sentence_transformers") or {}).get("activation_fn")
    said = said or pretrained.config.get("sbert_ce_default_activation_function")
    if said is None and beside is not None and (beside / _SENTENCES).is_file():
        said = read_object(beside / _SENTENCES).get("activation_fn")
    if said is None:
        return True
    name = str(said).rpartition(".")[2]
    if name not in _SIGMOIDS:
        raise ConfigError(
            f"the model says that {said} makes its scores, which is not understood; known are "
            f"{', '.join(_SIGMOIDS)}"
        )
    return _SIGMOIDS[name]
