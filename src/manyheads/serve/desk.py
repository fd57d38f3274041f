"""What a worker can do with its model: batches of texts in, answers out.

A desk is made of a predictor and says of itself, as JSON, all that the service must know to read
texts for it: the service itself never opens a model, and never imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np
import torch

from manyheads.core.layout import Layout
from manyheads.core.vectors import text_vectors, token_vectors
from manyheads.predict import Embedder, MaskFiller, Predictor, Tagger
from manyheads.serve.items import Answer, Question
from manyheads.tasks import Example
from manyheads.tasks.task import device_of
from manyheads.text import Cleaning, Truncation
from manyheads.text.tokenizer import Tokenizer

Card = dict[str, Any]
Work = Callable[[Sequence[Question], dict[str, Any]], list[Answer]]


class Desk:
    """A model at work: `card` says what it is, `operations` what it does by name."""

    def __init__(self, kind: str, card: Card, operations: dict[str, Work]) -> None:
        self.card = {"kind": kind, **card}
        self._operations = operations

    @torch.inference_mode()
    def answer(self, questions: Sequence[Question], threads: int) -> list[Answer]:
        """Return an answer to each question of one operation, by so many threads."""
        torch.set_num_threads(threads)
        operation = questions[0].operation
        return self._operations[operation.name](questions, dict(operation.settings))


def embedding_desk(embedder: Embedder) -> Desk:
    """Return the desk of a model that makes vectors."""

    def batch(questions: Sequence[Question]) -> tuple[torch.Tensor, Layout]:
        pieces = [piece.ids for one in questions for piece in one.encoded.pieces]
        return Layout.flatten(pieces, embedder.transformer.device)

    def embed(questions: Sequence[Question], settings: dict[str, Any]) -> list[Answer]:
        ids_T, layout = batch(questions)
        head = embedder.head if settings["unit_length"] else raw
        vectors = text_vectors(embedder.transformer, head, ids_T, layout, settings["uncounted"])
        found = iter(vectors.float().cpu().numpy())
        return [
            Answer(None, [np.stack([next(found) for _ in one.encoded.pieces])]) for one in questions
        ]

    def tokens(questions: Sequence[Question], settings: dict[str, Any]) -> list[Answer]:
        ids_T, layout = batch(questions)
        hidden_TD = token_vectors(embedder.transformer, ids_T, layout).float().cpu()
        found = iter(hidden_TD.split(layout.lengths))
        return [
            Answer(None, [next(found).numpy() for _ in one.encoded.pieces]) for one in questions
        ]

    raw, sentences = embedder.head.without_unit_length(), embedder.sentences
    card = {
        "poolings": [pooling.value for pooling in sentences.spec.poolings],
        "dimensions": embedder.dimensions,
        "unit_length": sentences.spec.has_unit_length,
        "prompts": sentences.prompts.to_json(),
        **reading_card(
            embedder.tokenizer, Cleaning(unicode=False, controls=False), embedder.truncation
        ),
    }
    return Desk("embedding", card, {"embed": embed, "tokens": tokens})


def labelling_desk(predictor: Predictor) -> Desk:
    """Return the desk of a model that says labels or numbers."""
    task, reader = predictor.task, predictor.reader

    def predict(questions: Sequence[Question], settings: dict[str, Any]) -> list[Answer]:
        examples = [Example(row, one.encoded) for row, one in enumerate(questions)]
        outputs_NC = predictor.model(task.collate(examples).to(device_of(predictor.model)))
        outputs_NC = outputs_NC.float().cpu()
        rows = zip(task.predict(outputs_NC), outputs_NC.numpy(), strict=True)
        return [Answer(_plain(prediction), [row]) for prediction, row in rows]

    card = {
        "task": task.name,
        "labels": list(predictor.labels),
        "paired": reader.paired,
        **reading_card(reader.tokenizer, reader.cleaning, reader.truncation),
    }
    return Desk("labelling", card, {"predict": predict})


def tagging_desk(tagger: Tagger) -> Desk:
    """Return the desk of a model that tags words; it reads the texts itself."""

    def tag(questions: Sequence[Question], settings: dict[str, Any]) -> list[Answer]:
        found = tagger([one.text or "" for one in questions])
        by_words = settings["words"]
        return [
            Answer([asdict(span) for span in (one.spans if by_words else one.entities)])
            for one in found
        ]

    reader = tagger.reader.reader
    card = {
        "task": tagger.task.name,
        "labels": list(tagger.labels),
        "finds_entities": tagger.task.finds_entities,
        **reading_card(reader.tokenizer, reader.cleaning, reader.truncation),
    }
    return Desk("tagging", card, {"tag": tag})


def filling_desk(filler: MaskFiller) -> Desk:
    """Return the desk of a model that fills in masks; it reads the texts itself."""

    def fill(questions: Sequence[Question], settings: dict[str, Any]) -> list[Answer]:
        texts = [one.text or "" for one in questions]
        return [Answer(asdict(one)) for one in filler.fill(texts, settings["top"])]

    reader = filler.reader.reader
    card = {
        "mask": filler.mask,
        **reading_card(reader.tokenizer, reader.cleaning, reader.truncation),
    }
    return Desk("filling", card, {"fill": fill})


def reading_card(tokenizer: Tokenizer, cleaning: Cleaning, truncation: Truncation) -> Card:
    """Return what the service needs to read texts as the model does."""
    return {
        "tokenizer": tokenizer.to_json(),
        "cleaning": cleaning.to_json(),
        "truncation": truncation.to_json(),
    }


def _plain(prediction: Any) -> Any:
    return asdict(prediction) if is_dataclass(prediction) else prediction
