"""The service's own wire: /v1/embed, /v1/predict, /v1/fill-mask.

Every item says how many tokens it has, and how many of them the model did not see. What goes wrong
with one of several items stands in its place; the others are answered.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from manyheads.errors import ManyHeadsError, TextError
from manyheads.serve.http.replies import Json, route_of, status_of, told
from manyheads.serve.items import Lane
from manyheads.serve.model import Asking, Result, values_of
from manyheads.serve.notes import notes
from manyheads.serve.reading import Cut
from manyheads.serve.service import Service


class Encoding(StrEnum):
    """How a vector is written: as a list of numbers, or as the bytes of float32."""

    FLOAT = "float"
    BASE64 = "base64"


class Asked(BaseModel):
    """What all requests may say."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    truncate: Cut | None = Field(None, description="What becomes of a text that is too long.")
    lane: Lane = Field(Lane.INTERACTIVE, description="Programs that do many go into bulk.")
    timeout: Annotated[float, Field(gt=0, le=3600)] | None = None

    def asking(self) -> Asking:
        """Return how this is asked of a model."""
        return Asking(self.truncate, self.lane, self.timeout)


class EmbedRequest(Asked):
    """One text or several, to be made vectors of."""

    inputs: str | list[str]
    prompt: str | None = Field(None, description="The name of one of the model's prompts.")
    dimensions: int | None = Field(None, ge=1)
    encoding: Encoding = Encoding.FLOAT


class PredictRequest(Asked):
    """One text or several, or pairs of texts, to be labelled or tagged."""

    inputs: str | list[str]
    pairs: str | list[str] | None = Field(None, description="A second text for each of the inputs.")


class FillMaskRequest(Asked):
    """One text or several with masks, to be filled in."""

    inputs: str | list[str]
    top: int = Field(5, ge=1, description="How many tokens for each mask.")


def router(service: Service) -> APIRouter:
    """Return the routes of the service's own wire."""
    routes = APIRouter(route_class=route_of(refusal), tags=["manyheads"])

    @routes.post("/v1/embed")
    async def embed(asked: EmbedRequest) -> Json:
        """Make a vector of each text."""
        model = service.embedder(asked.model)
        results = await model.embed(
            several(asked.inputs), asked.asking(), asked.prompt, asked.dimensions
        )
        raise_if_alone(results)
        items = [
            item_of(one, lambda value: {"vector": written(value, asked.encoding)})
            for one in results
        ]
        return Json(
            {
                "model": model.name,
                "dimensions": asked.dimensions or model.dimensions,
                "items": items,
            }
        )

    @routes.post("/v1/predict")
    async def predict(asked: PredictRequest) -> Json:
        """Say what the model says of each text, or of each pair."""
        model = service.predictor(asked.model)
        texts = several(asked.inputs)
        pairs = None if asked.pairs is None else several(asked.pairs)
        results = await model.said(texts, asked.asking(), pairs)
        raise_if_alone(results)
        items = [item_of(one, dict) for one in results]
        return Json({"model": model.name, "task": model.task, "items": items})

    @routes.post("/v1/fill-mask")
    async def fill_mask(asked: FillMaskRequest) -> Json:
        """Say what may stand behind each mask of each text."""
        model = service.filler(asked.model)
        results = await model.fill(several(asked.inputs), asked.asking(), asked.top)
        raise_if_alone(results)
        items = [item_of(one, _filled) for one in results]
        return Json({"model": model.name, "mask": model.mask, "items": items})

    return routes


def written(vector: np.ndarray, encoding: Encoding) -> np.ndarray | str:
    """Return a vector as JSON has it."""
    if encoding is Encoding.FLOAT:
        return vector
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def raise_if_alone(results: Sequence[Result[Any]]) -> None:
    """Raise the error of a single item: there is nothing else to answer."""
    if len(results) == 1:
        values_of(results)


def item_of(result: Result[Any], said: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """Return what came of one text: `said` of its value, or the error in its place."""
    counted = {"tokens": result.tokens, "truncated": result.dropped}
    if isinstance(result.value, ManyHeadsError):
        return counted | {"error": said_of(result.value)}
    return counted | said(result.value)


def _filled(said: dict[str, Any]) -> dict[str, Any]:
    return {"text": said["text"], "masks": said["candidates"]}


def several(inputs: str | list[str], alone: str = "") -> list[str]:
    """Return inputs as a list; raises `TextError` for several where one is to be `alone`."""
    if alone and not isinstance(inputs, str) and len(inputs) != 1:
        raise TextError(f"{alone} is of a single text, and there are {len(inputs)}; ask for each")
    return [inputs] if isinstance(inputs, str) else inputs


def said_of(error: Exception) -> dict[str, str]:
    """Return an error as this wire has it, inside an answer."""
    return {"type": type(error).__name__, "message": told(error)}


def refusal(error: Exception) -> Json:
    """Return an error as this wire has it."""
    said = said_of(error) | {"request_id": notes().request_id}
    return Json({"error": said}, status_of(error))
