"""What predictors say, as JSON values under the same names for every task."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from manyheads.predict.answer import Answer
from manyheads.predict.answering import Answered
from manyheads.predict.tagging import TaggedText
from manyheads.tasks import Labelled, MultiLabelled


def answer_to_json(answer: Answer) -> dict[str, Any]:
    """Return an answer as JSON values: `prediction`, `truncated`, and what else there is."""
    prediction = answer.prediction
    facts: dict[str, Any]
    match prediction:
        case Labelled():
            facts = {"prediction": prediction.label, "probability": prediction.probability}
            facts["is_sure"] = prediction.is_sure
            facts["probabilities"] = prediction.probabilities
        case MultiLabelled():
            shares = prediction.probabilities
            facts = {"prediction": list(prediction.labels)}
            facts["probability"] = [shares[name] for name in prediction.labels]
            facts["probabilities"] = shares
        case TaggedText():
            facts = _tags(prediction)
        case Answered():
            facts = {"prediction": prediction.text, "probability": prediction.probability}
            facts |= {"start": prediction.start, "end": prediction.end}
        case _:
            facts = {"prediction": prediction.value}
    return {**facts, "truncated": answer.truncated}


def _tags(tagged: TaggedText) -> dict[str, Any]:
    """Return entities, or what each word is where tags mark none."""
    if tagged.finds_entities:
        return {"prediction": [asdict(entity) for entity in tagged.entities]}
    words = [tagged.text[start:end] for start, end in tagged.words]
    return {
        "prediction": list(tagged.tags),
        "words": words,
        "probability": list(tagged.probabilities),
    }
