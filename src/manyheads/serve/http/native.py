"""The service's own wire: /v1/embed, /v1/predict.

Every item says how many tokens it has, and how many of them the model did not see. What goes wrong
with one of several items stands in its place; the others are answered.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from manyheads.errors import ServiceError, TextError
from manyheads.serve.http.replies import Json, route_of, status_of, told
from manyheads.serve.items import Lane
from manyheads.serve.model import Asking, Prediction, Result
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
    """One text or several, or pairs of texts, to be labelled."""

    inputs: str | list[str]
    pairs: str | list[str] | None = Field(None, description="A second text for each of the inputs.")


def router(service: Service) -> APIRouter:
    """Return the routes of the service's own wire."""
    routes = APIRouter(route_class=route_of(_error), tags=["manyheads"])

    @routes.post("/v1/embed")
    async def embed(asked: EmbedRequest) -> Json:
        """Make a vector of each text."""
        model = service.embedder(asked.model)
        results = await model.embed(
            _several(asked.inputs), asked.asking(), asked.prompt, asked.dimensions
        )
        _raise_if_alone(results)
        items = [
            _item(one, lambda value: {"vector": written(value, asked.encoding)}) for one in results
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
        model = service.labeller(asked.model)
        texts = _several(asked.inputs)
        pairs = None if asked.pairs is None else _several(asked.pairs)
        if pairs is not None and len(pairs) != len(texts):
            raise TextError(f"{len(texts)} inputs have {len(pairs)} pairs; give one for each")
        results = await model.predict(texts, asked.asking(), pairs)
        _raise_if_alone(results)
        items = [_item(one, _prediction) for one in results]
        return Json({"model": model.name, "task": model.task, "items": items})

    return routes


def written(vector: np.ndarray, encoding: Encoding) -> np.ndarray | str:
    """Return a vector as JSON has it."""
    if encoding is Encoding.FLOAT:
        return vector
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def first_error(results: Sequence[Result[Any]]) -> ServiceError | None:
    """Return what went wrong first, if anything did."""
    return next((one.value for one in results if isinstance(one.value, ServiceError)), None)


def _raise_if_alone(results: Sequence[Result[Any]]) -> None:
    """Raise the error of a single item: there is nothing else to answer."""
    if len(results) == 1 and (error := first_error(results)) is not None:
        raise error


def _item(result: Result[Any], said: Any) -> dict[str, Any]:
    counted = {"tokens": result.tokens, "truncated": result.dropped}
    if isinstance(result.value, ServiceError):
        return counted | {"error": _said_of(result.value)}
    return counted | said(result.value)


def _prediction(prediction: Prediction) -> dict[str, Any]:
    said = prediction.said
    return said if isinstance(said, dict) else {"value": said}


def _several(inputs: str | list[str]) -> list[str]:
    return [inputs] if isinstance(inputs, str) else inputs


def _said_of(error: Exception) -> dict[str, str]:
    return {"type": type(error).__name__, "message": told(error)}


def _error(error: Exception) -> Json:
    return Json({"error": _said_of(error)}, status_of(error))
