"""What a worker can do with many heads: all of them answer a batch of texts in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from manyheads.predict import Answered, ManyPredictor, TaggedText
from manyheads.serve.desk import Desk, reading_card
from manyheads.serve.items import Answer, Question


def heads_desk(predictor: ManyPredictor) -> Desk:
    """Return the desk of many heads; it reads the texts itself, as each head does."""

    def predict(questions: Sequence[Question], settings: dict[str, Any]) -> list[Answer]:
        texts = [one.text or "" for one in questions]
        pairs = [one.pair or "" for one in questions] if settings["paired"] else None
        found = predictor.answers(texts, pairs)
        return [
            Answer(
                {
                    "heads": {head: _said(own[number].prediction) for head, own in found.items()},
                    "truncated": max(own[number].truncated for own in found.values()),
                }
            )
            for number in range(len(questions))
        ]

    longest = max(predictor.text_readers.values(), key=lambda one: one.truncation.max_tokens)
    card = {
        "task": predictor.task.name,
        "labels": [],
        "heads": predictor.task.to_json()["heads"],
        **reading_card(longest.tokenizer, longest.cleaning, longest.truncation),
    }
    return Desk("heads", card, {"predict": predict})


def _said(prediction: Any) -> dict[str, Any]:
    """Return what one head says, under the names that it has where it is served alone."""
    match prediction:
        case TaggedText(finds_entities=True):
            return {"entities": [asdict(one) for one in prediction.entities]}
        case TaggedText():
            return {"words": [asdict(one) for one in prediction.spans]}
        case Answered():
            names = ("text", "start", "end", "probability")
            return {name: getattr(prediction, name) for name in names}
    return asdict(prediction)
