"""The HTTP of bert-as-service: /encode, /status/server."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from manyheads.errors import TextError
from manyheads.serve.http.replies import Json, route_of, status_of, told
from manyheads.serve.notes import notes
from manyheads.serve.service import Service


class EncodeRequest(BaseModel):
    """Texts, or lists of tokens, to be encoded."""

    model_config = ConfigDict(extra="ignore")

    id: Any = None
    texts: list[str] | list[list[str]]
    is_tokenized: bool = False


def router(service: Service) -> APIRouter:
    """Return the routes of this wire."""
    routes = APIRouter(route_class=route_of(_error), tags=["bert-as-service"])

    @routes.post("/encode")
    async def encode(asked: EncodeRequest) -> Json:
        """Make a vector, or a matrix, of each text."""
        if not asked.texts or isinstance(asked.texts[0], list) is not asked.is_tokenized:
            raise TextError("texts must be a list of texts, or of lists of tokens if is_tokenized")
        encoded = await service.encoder.encode(asked.texts)
        if encoded.errors:
            row, error = next(iter(encoded.errors.items()))
            raise TextError(f"text {row + 1}: {error}")
        return Json({"id": asked.id, "results": encoded.vectors, "status": 200})

    @routes.get("/status/server")
    async def status() -> Json:
        """Say how the model is served, and what has happened so far."""
        encoder = service.encoder
        encoding, watch = encoder.encoding, encoder.reception.watch
        return Json(
            {
                "pooling_layer": list(encoding.layers),
                "pooling_strategy": encoding.strategy.value,
                "max_seq_len": encoding.max_tokens,
                "mask_cls_sep": encoding.without_frame,
                "num_worker": len(encoder.reception.crew.workers),
                "statistic": {"num_texts": watch.items, "num_batches": watch.batches},
                "status": 200,
            }
        )

    return routes


def _error(error: Exception) -> Json:
    status = status_of(error)
    said = {"type": type(error).__name__, "description": told(error), "status": status}
    return Json(said | {"request_id": notes().request_id}, status)
