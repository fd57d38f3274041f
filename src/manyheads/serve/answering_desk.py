"""What a worker can do with a model that finds answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from manyheads.predict import Answered, Answerer
from manyheads.serve.desk import Desk, reading_card
from manyheads.serve.items import Answer, Question


def answering_desk(answerer: Answerer) -> Desk:
    """Return the desk of a model that finds answers; it reads questions and contexts itself."""

    def answer(questions: Sequence[Question], settings: dict[str, Any]) -> list[Answer]:
        task, refuse = answerer.task, settings["refuse"]
        asked = replace(
            task,
            may_refuse=task.may_refuse if refuse is None else refuse,
            longest=settings["longest"] or task.longest,
        )
        found = answerer.deciding(asked).answers(
            [one.text or "" for one in questions], [one.pair or "" for one in questions]
        )
        return [
            Answer({"answer": _said(one.prediction, settings["top"]), "truncated": one.truncated})
            for one in found
        ]

    reader = answerer.reader.reader
    card = {
        "may_refuse": answerer.task.may_refuse,
        **reading_card(reader.tokenizer, reader.cleaning, reader.truncation),
    }
    return Desk("answering", card, {"answer": answer})


def _said(answered: Answered, top: int) -> dict[str, Any]:
    names = ("text", "start", "end", "probability")
    said = {name: getattr(answered, name) for name in names}
    candidates = [{name: getattr(one, name) for name in names} for one in answered.candidates[:top]]
    return said | {"candidates": candidates}
