"""The service's own wire for models that write: /v1/generate, /v1/translate, /v1/summarize."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from manyheads.errors import TextError
from manyheads.serve.http.events import event_stream
from manyheads.serve.http.native import item_of, raise_if_alone, refusal, said_of, several
from manyheads.serve.http.replies import Json, route_of
from manyheads.serve.items import Lane
from manyheads.serve.orders import Writing
from manyheads.serve.served_writer import Patience, ServedWriter
from manyheads.serve.service import Service

Phrases = list[Annotated[str, Field(min_length=1)]]
_SEEDS = 2**31


def drawn_seed() -> int:
    """Return a seed for whoever names none."""
    return secrets.randbelow(_SEEDS)


class Search(BaseModel):
    """How texts are written; what is not said is as the model's folder says.

    Fields of beams and of samples exclude each other; a temperature of 0 takes the most probable.
    """

    beams: int | None = Field(None, ge=1, le=64)
    length_penalty: float | None = None
    coverage_penalty: float | None = None
    groups: int | None = Field(None, ge=1)
    diversity: float | None = None
    temperature: float | None = Field(None, ge=0)
    top_k: int | None = Field(None, ge=1)
    top_p: float | None = Field(None, gt=0, le=1)
    min_p: float | None = Field(None, ge=0, lt=1)
    typical_p: float | None = Field(None, gt=0, le=1)
    n_best: int | None = Field(None, ge=1, le=64, description="How many outputs of each text.")
    max_tokens: int | None = Field(None, ge=1)
    min_tokens: int | None = Field(None, ge=0)
    repetition_penalty: float | None = Field(None, gt=0)
    no_repeat_ngram: int | None = Field(None, ge=0)
    banned: Phrases | None = Field(None, description="Phrases that no output holds.")
    required: Phrases | None = Field(None, description="Phrases that every output holds.")
    prefix: str | None = Field(None, description="How every output begins.")
    stop: Phrases | None = Field(None, description="Strings at which an output ends.")
    seed: int | None = Field(None, ge=0, description="Of samples: the same one draws the same.")
    truncate: bool | None = Field(None, description="Whether what is too long is cut, and counted.")

    def wording(self) -> dict[str, Any]:
        """Return how is to be written, by the names of the fields of a wording."""
        return {
            "seed": drawn_seed(),
            **self.model_dump(include={*_SEARCH, *_MORE}, exclude_none=True),
        }


_SEARCH = sorted(Search.model_fields)
_MORE = ("instruction", "task", "source_language", "target_language")  # of those who may say them


def search_of(said: Mapping[str, Any]) -> Search:
    """Return how texts are written, as parameters say it; raises `TextError` for others."""
    unknown = sorted(said.keys() - Search.model_fields.keys())
    if unknown:
        raise TextError(f"parameter {unknown[0]!r} is not known; there is {', '.join(_SEARCH)}")
    try:
        return Search(**said)
    except ValidationError as error:
        first = error.errors()[0]
        raise TextError(f"parameter {first['loc'][0]!r}: {first['msg']}") from error


class WritingAsked(Search):
    """What all requests to write may say."""

    model_config = ConfigDict(extra="forbid")

    inputs: str | list[str]
    model: str | None = None
    lane: Lane = Field(Lane.INTERACTIVE, description="Programs that do many go into bulk.")
    timeout: Annotated[float, Field(gt=0, le=3600)] | None = None
    instruction: str | None = Field(None, description="What is to be done with the texts.")

    def patience(self) -> Patience:
        """Return who waits for it."""
        return Patience(self.lane, self.timeout)


class GenerateRequest(WritingAsked):
    """One text or several, to be gone on with or answered."""

    task: str | None = Field(None, description="A task that the model's folder has settings for.")
    source_language: str | None = None
    target_language: str | None = None
    details: bool = Field(False, description="Tokens, and their log-probabilities.")
    stream: bool = Field(False, description="Tell it piece by piece, of a single text.")


class TranslateRequest(WritingAsked):
    """One text or several of any length, to be translated."""

    source: str | None = Field(None, description="The code of the texts' language.")
    target: str | None = Field(None, description="The code of the language to write in.")

    def wording(self) -> dict[str, Any]:
        """Return how is to be written, by the names of the fields of a wording."""
        languages = {"source_language": self.source, "target_language": self.target}
        known = {name: code for name, code in languages.items() if code is not None}
        return super().wording() | known


def router(service: Service) -> APIRouter:
    """Return the routes of the service's own wire for models that write."""
    routes = APIRouter(route_class=route_of(refusal), tags=["manyheads"])

    @routes.post("/v1/generate")
    async def generate(asked: GenerateRequest) -> Response:
        """Write something for each text; with `stream`, for one, as it comes."""
        model = service.writer(asked.model)
        wording = asked.wording()
        if asked.stream:
            return await event_stream(_pieces(model, asked, wording), _told)
        texts = several(asked.inputs)
        results = await model.write(Writing.OUTPUT, texts, wording, asked.patience())
        raise_if_alone(results)
        items = [item_of(one, lambda said: _output(said, asked.details)) for one in results]
        return Json({"model": model.name, "seed": wording["seed"], "items": items})

    @routes.post("/v1/translate")
    async def translate(asked: TranslateRequest) -> Json:
        """Translate each text, sentence by sentence."""
        return await documents(asked, Writing.TRANSLATION)

    @routes.post("/v1/summarize")
    async def summarize(asked: WritingAsked) -> Json:
        """Summarise each text, by parts where it is longer than the model reads."""
        return await documents(asked, Writing.SUMMARY)

    async def documents(asked: WritingAsked, writing: Writing) -> Json:
        model = service.writer(asked.model)
        texts = several(asked.inputs)
        results = await model.write(writing, texts, asked.wording(), asked.patience())
        raise_if_alone(results)
        return Json({"model": model.name, "items": [item_of(one, _document) for one in results]})

    return routes


async def _pieces(
    model: ServedWriter, asked: GenerateRequest, wording: dict[str, Any]
) -> AsyncIterator[dict[str, Any]]:
    """Yield what is written of a single text, and then all of it."""
    texts = several(asked.inputs, alone="a stream")
    (ordered,) = await model.order(Writing.OUTPUT, texts, [wording], asked.patience(), streams=True)
    with ordered:
        async for piece in ordered.pieces():
            yield {"text": piece}
        said = await ordered.whole()
    counted = {"tokens": said["read"], "truncated": said["truncated"]}
    done = {"model": model.name, "seed": wording["seed"], **counted}
    yield {"done": done | _output(said, asked.details)}


def _output(said: dict[str, Any], details: bool) -> dict[str, Any]:
    """Return the best output, and all of them where there are several."""
    known = ("text", "finish", "score", *(("tokens", "log_probs") if details else ()))
    outputs = [{name: one[name] for name in known} for one in said["outputs"]]
    best = {name: outputs[0][name] for name in ("text", "finish")} | {"written": said["written"]}
    return best | ({"outputs": outputs} if details or len(outputs) > 1 else {})


def _document(said: dict[str, Any]) -> dict[str, Any]:
    return {name: said[name] for name in ("text", "written", "unfinished")}


def _told(error: Exception) -> dict[str, Any]:
    return {"error": said_of(error)}
