"""The wire of OpenAI: /v1/embeddings, /v1/models."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from manyheads.errors import Overloaded, TextError, UnknownModel
from manyheads.serve.http.native import Encoding, written
from manyheads.serve.http.replies import Json, route_of, status_of, told
from manyheads.serve.model import Asking, ServedEmbedder, ServedModel, values_of
from manyheads.serve.reading import Cut
from manyheads.serve.service import Service

_OWNER = "manyheads"


class EmbeddingsRequest(BaseModel):
    """Texts, or texts as the ids of the model's own tokenizer."""

    model_config = ConfigDict(extra="ignore")

    input: str | list[str] | list[int] | list[list[int]]
    model: str
    encoding_format: Encoding = Encoding.FLOAT
    dimensions: int | None = Field(None, ge=1)


def router(service: Service) -> APIRouter:
    """Return the routes of this wire."""
    routes = APIRouter(route_class=route_of(refusal), tags=["OpenAI"])

    @routes.get("/v1/models")
    async def models() -> Json:
        """List the models that are served."""
        return Json(
            {
                "object": "list",
                "data": [
                    _model(name, service.model(name))
                    for name in (*service.models, *service.aliases)
                ],
            }
        )

    @routes.get("/v1/models/{name:path}")
    async def model(name: str) -> Json:
        """Say what a model is."""
        found = service.model(name)
        return Json(_model(found.name, found))

    @routes.post("/v1/embeddings")
    async def embeddings(asked: EmbeddingsRequest) -> Json:
        """Make a vector of each input; one that is too long is refused."""
        model = service.embedder(asked.model)
        results = await _embedded(model, asked)
        vectors = values_of(results)
        data = [
            {
                "object": "embedding",
                "index": i,
                "embedding": written(one, asked.encoding_format),
            }
            for i, one in enumerate(vectors)
        ]
        tokens = sum(one.tokens for one in results)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return Json({"object": "list", "data": data, "model": model.name, "usage": usage})

    return routes


async def _embedded(model: ServedEmbedder, asked: EmbeddingsRequest) -> Any:
    texts = texts_of(model, asked.input, "input")
    return await model.embed(texts, Asking(Cut.ERROR), dimensions=asked.dimensions)


def texts_of(model: ServedModel, given: Any, name: str) -> list[str]:
    """Return texts, of one text or several, or of ids; raises `TextError` for none."""
    if isinstance(given, str) or (given and isinstance(given[0], int)):
        given = [given]
    if not given:
        raise TextError(f"{name} is empty; give at least one text")
    return [text_of(model, one, number) for number, one in enumerate(given, 1)]


def text_of(model: ServedModel, given: Any, number: int) -> str:
    """Return an input as text; raises `TextError` for ids that mean other words here.

    Those are ids that this tokenizer does not make of the text that they spell. Clients that cut
    texts by the tokenizer of another model send its ids: vectors of them would be wrong without
    looking so.
    """
    if isinstance(given, str):
        return given
    if not model.reader.spells(given):
        raise TextError(
            f"input {number} comes as token ids that the tokenizer of {model.name} does not make; "
            "send text (LangChain: check_embedding_ctx_length=False)"
        )
    return model.reader.tokenizer.decode(given)


def _model(name: str, model: ServedModel) -> dict[str, Any]:
    """Return a model as this wire has it; of one with many heads, these too."""
    heads = {"heads": model.card["heads"]} if "heads" in model.card else {}
    return {"id": name, "object": "model", "created": 0, "owned_by": _OWNER, **heads}


def refusal(error: Exception) -> Json:
    """Return an error as this wire has it."""
    status = status_of(error)
    return Json(said_of(error), 400 if status in (413, 422) else status)


def said_of(error: Exception) -> dict[str, Any]:
    """Return an error as this wire says it."""
    status = status_of(error)
    kind = "rate_limit_error" if isinstance(error, Overloaded) else "invalid_request_error"
    kind = "server_error" if status >= 500 else kind
    code = "model_not_found" if isinstance(error, UnknownModel) else type(error).__name__
    said = {"message": told(error), "type": kind, "param": None, "code": code}
    return {"error": said}
