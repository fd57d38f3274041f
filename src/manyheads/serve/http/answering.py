"""Questions about contexts: /v1/answer, and as clients of Hugging Face ask them at the address."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from manyheads.serve.http.native import Asked, item_of, raise_if_alone, refusal
from manyheads.serve.http.replies import Json, route_of
from manyheads.serve.model import Asking, values_of
from manyheads.serve.served_answerer import Deciding, ServedAnswerer
from manyheads.serve.service import Service

_MOST = 20  # candidates that there are


class QuestionInContext(BaseModel):
    """A question, and the text that answers it."""

    model_config = ConfigDict(extra="forbid")

    question: str
    context: str


class AnswerRequest(Asked):
    """One question with its context or several, to be answered."""

    inputs: QuestionInContext | list[QuestionInContext]
    top: int = Field(5, ge=1, le=_MOST, description="How many candidates beside each answer.")
    refuse: bool | None = Field(None, description="Whether there may be said to be no answer.")
    longest: int | None = Field(None, ge=1, description="How many tokens an answer may have.")


class HuggingFaceParameters(BaseModel):
    """What their clients may say that there is here."""

    model_config = ConfigDict(extra="forbid")

    top_k: Annotated[int, Field(ge=1, le=_MOST)] | None = None
    handle_impossible_answer: bool | None = None
    max_answer_len: Annotated[int, Field(ge=1)] | None = None


class HuggingFaceRequest(BaseModel):
    """A question as their clients ask it."""

    inputs: QuestionInContext
    parameters: HuggingFaceParameters | None = None


def router(service: Service) -> APIRouter:
    """Return the route of the service's own wire."""
    routes = APIRouter(route_class=route_of(refusal), tags=["manyheads"])

    @routes.post("/v1/answer")
    async def answer(asked: AnswerRequest) -> Json:
        """Say which part of its context answers each question."""
        model = service.answerer(asked.model)
        rows = asked.inputs if isinstance(asked.inputs, list) else [asked.inputs]
        deciding = Deciding(asked.top, asked.refuse, asked.longest)
        questions, contexts = [row.question for row in rows], [row.context for row in rows]
        results = await model.answer(questions, contexts, asked.asking(), deciding)
        raise_if_alone(results)
        return Json({"model": model.name, "items": [item_of(one, dict) for one in results]})

    return routes


async def answer_as_hugging_face(model: ServedAnswerer, asked: HuggingFaceRequest) -> Json:
    """Answer a question; several candidates where `top_k` asks for them."""
    how = asked.parameters or HuggingFaceParameters()
    top, refuse = how.top_k or 1, how.handle_impossible_answer
    deciding = Deciding(_MOST, refuse, how.max_answer_len)
    question, context = asked.inputs.question, asked.inputs.context
    (said,) = values_of(await model.answer([question], [context], Asking(), deciding))
    others = [one for one in said["candidates"] if one["text"] and one["text"] != said["text"]]
    found = [_theirs(one) for one in (said, *others)[:top]]
    return Json(found if top > 1 else found[0])


def _theirs(said: dict[str, Any]) -> dict[str, Any]:
    return {
        "answer": said["text"],
        "score": said["probability"],
        "start": said["start"],
        "end": said["end"],
    }
