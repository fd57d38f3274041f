"""What a worker can do with its model: batches of texts in, answers out.

A desk is made of a predictor and says of itself, as JSON, all that the service must know to read
texts for it: the service itself never opens a model, and never imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from manyheads.core.layout import Layout
from manyheads.core.vectors import text_vectors, token_vectors
from manyheads.errors import ConfigError
from manyheads.predict import Embedder, Predictor, load
from manyheads.serve.encoding import Encoding
from manyheads.serve.items import Answer
from manyheads.tasks import Example
from manyheads.text import Cleaning, Encoded, Truncation
from manyheads.text.tokenizer import Tokenizer

Card = dict[str, Any]
Work = Callable[[Sequence[Encoded], dict[str, Any]], list[Answer]]


class Desk:
    """A model at work: `card` says what it is, `operations` what it does by name."""

    def __init__(self, kind: str, card: Card, operations: dict[str, Work]) -> None:
        self.card = {"kind": kind, **card}
        self._operations = operations

    @torch.inference_mode()
    def answer(
        self, operation: str, settings: dict[str, Any], texts: Sequence[Encoded], threads: int
    ) -> list[Answer]:
        """Return an answer for each text, by so many threads."""
        torch.set_num_threads(threads)
        return self._operations[operation](texts, settings)


def open_desk(reference: str, device: str = "cpu", encoding: dict[str, Any] | None = None) -> Desk:
    """Open a model, or its layers with an `encoding`; raises `ConfigError` for one of no use."""
    if encoding is not None:
        from manyheads.serve.encoding_desk import encoding_desk

        return encoding_desk(reference, Encoding.from_json(encoding), device)
    predictor = load(Path(reference) if Path(reference).exists() else reference, device=device)
    match predictor:
        case Embedder():
            return embedding_desk(predictor)
        case Predictor():
            return labelling_desk(predictor)
    raise ConfigError(f"{reference} is a model for {predictor.task.name}, which is not served yet")


def embedding_desk(embedder: Embedder) -> Desk:
    """Return the desk of a model that makes vectors."""

    def batch(texts: Sequence[Encoded]) -> tuple[torch.Tensor, Layout]:
        pieces = [piece.ids for one in texts for piece in one.pieces]
        return Layout.flatten(pieces, embedder.transformer.device)

    def embed(texts: Sequence[Encoded], settings: dict[str, Any]) -> list[Answer]:
        ids_T, layout = batch(texts)
        head = embedder.head if settings["unit_length"] else raw
        vectors = text_vectors(embedder.transformer, head, ids_T, layout, settings["uncounted"])
        found = iter(vectors.float().cpu().numpy())
        return [Answer(None, [np.stack([next(found) for _ in one.pieces])]) for one in texts]

    def tokens(texts: Sequence[Encoded], settings: dict[str, Any]) -> list[Answer]:
        ids_T, layout = batch(texts)
        hidden_TD = token_vectors(embedder.transformer, ids_T, layout).float().cpu()
        found = iter(hidden_TD.split(layout.lengths))
        return [Answer(None, [next(found).numpy() for _ in one.pieces]) for one in texts]

    raw, sentences = embedder.head.without_unit_length(), embedder.sentences
    card = {
        "poolings": [pooling.value for pooling in sentences.spec.poolings],
        "dimensions": embedder.dimensions,
        "width": embedder.transformer.spec.width,
        "unit_length": sentences.spec.has_unit_length,
        "similarity": sentences.similarity.value,
        "prompts": sentences.prompts.to_json(),
        **reading_card(
            embedder.tokenizer, Cleaning(unicode=False, controls=False), embedder.truncation
        ),
    }
    return Desk("embedding", card, {"embed": embed, "tokens": tokens})


def labelling_desk(predictor: Predictor) -> Desk:
    """Return the desk of a model that says labels or numbers."""
    task, reader = predictor.task, predictor.reader

    def predict(texts: Sequence[Encoded], settings: dict[str, Any]) -> list[Answer]:
        examples = [Example(row, one) for row, one in enumerate(texts)]
        outputs_NC = predictor.model(task.collate(examples).to(predictor.model.transformer.device))
        outputs_NC = outputs_NC.float().cpu()
        rows = zip(task.predict(outputs_NC), outputs_NC.numpy(), strict=True)
        return [Answer(_plain(prediction), [row]) for prediction, row in rows]

    card = {
        "task": task.name,
        "labels": list(predictor.labels),
        **reading_card(reader.tokenizer, reader.cleaning, reader.truncation),
    }
    return Desk("labelling", card, {"predict": predict})


def reading_card(tokenizer: Tokenizer, cleaning: Cleaning, truncation: Truncation) -> Card:
    """Return what the service needs to read texts as the model does."""
    return {
        "tokenizer": tokenizer.to_json(),
        "cleaning": cleaning.to_json(),
        "truncation": truncation.to_json(),
    }


def _plain(prediction: Any) -> Any:
    return asdict(prediction) if is_dataclass(prediction) else prediction
