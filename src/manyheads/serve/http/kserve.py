"""The open inference protocol, version 2, of KServe and Triton: /v2/…

A model has the input `text`, and `pair` where it is asked about pairs; its outputs are `embedding`,
or `probabilities` and `label`, or `value`; of a model that fills masks or writes, `text`; of one
that tags, `entities` or `words`, a list in JSON for each text; of many heads, one by each head's
name, an object in JSON for each text. How a model writes, the parameters of a request say, by the
names of /v1/generate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from fastapi import APIRouter, Request, Response

from manyheads._version import __version__
from manyheads.errors import TextError
from manyheads.serve.http.replies import Json, route_of, status_of, told
from manyheads.serve.http.tensors import HEADER, Asked, read_request, written
from manyheads.serve.http.writing import search_of
from manyheads.serve.model import Asking, ServedEmbedder, ServedFiller, ServedModel, values_of
from manyheads.serve.orders import Writing
from manyheads.serve.predictors import ServedLabeller, ServedTagger
from manyheads.serve.served_answerer import Deciding, ServedAnswerer
from manyheads.serve.served_heads import ServedHeads
from manyheads.serve.served_writer import ServedWriter
from manyheads.serve.service import Service

_EXTENSIONS = ["binary_tensor_data"]


def router(service: Service) -> APIRouter:
    """Return the routes of this wire."""
    routes = APIRouter(route_class=route_of(_error), tags=["open inference protocol"])

    @routes.get("/v2/health/live")
    async def live() -> Json:
        """Say that the service is there."""
        return Json({"live": True})

    @routes.get("/v2/health/ready")
    async def ready() -> Json:
        """Say whether all models take questions."""
        return Json({"ready": service.is_ready}, 200 if service.is_ready else 503)

    @routes.get("/v2")
    async def server() -> Json:
        """Say what the service is."""
        return Json({"name": "manyheads", "version": __version__, "extensions": _EXTENSIONS})

    @routes.get("/v2/models/{name:path}/ready")
    async def model_ready(name: str) -> Json:
        """Say whether a model takes questions."""
        is_ready = service.model(name).reception.is_ready
        return Json({"name": name, "ready": is_ready}, 200 if is_ready else 503)

    @routes.post("/v2/models/{name:path}/infer")
    async def infer(name: str, request: Request) -> Response:
        """Ask a model."""
        model = service.model(name)
        asked = read_request(await request.body(), request.headers.get(HEADER))
        outputs, blobs = written(await _outputs(model, asked), asked)
        said = {"model_name": name, "model_version": "1", "outputs": outputs}
        if "id" in asked.said:
            said["id"] = asked.said["id"]
        if not blobs:
            return Json(said)
        head = orjson.dumps(said, option=orjson.OPT_SERIALIZE_NUMPY)
        headers = {HEADER: str(len(head))}
        return Response(head + blobs, media_type="application/octet-stream", headers=headers)

    @routes.get("/v2/models/{name:path}")
    async def metadata(name: str) -> Json:
        """Say what a model takes and gives."""
        return Json(_metadata(service.model(name)))

    return routes


async def _outputs(model: ServedModel, asked: Asked) -> Mapping[str, np.ndarray | list[str]]:
    """Return the outputs of a model, by name; raises the first error of a text."""
    texts = asked.texts.get("text")
    if not texts:
        named = ", ".join(asked.texts) or "none"
        raise TextError(f"there is no input 'text' that holds a text, but {named}")
    if isinstance(model, ServedEmbedder):
        return {"embedding": np.stack(values_of(await model.embed(texts, Asking())))}
    if isinstance(model, ServedFiller):
        return {"text": [one["text"] for one in values_of(await model.fill(texts, Asking(), 1))]}
    if isinstance(model, ServedAnswerer):
        contexts = asked.texts.get("pair") or []
        found = values_of(await model.answer(texts, contexts, Asking(), Deciding()))
        return {"text": [one["text"] for one in found]}
    if isinstance(model, ServedWriter):
        wording = search_of(asked.parameters).wording()
        found = values_of(await model.write(Writing.OUTPUT, texts, wording))
        return {"text": [one["outputs"][0]["text"] for one in found]}
    if isinstance(model, ServedTagger):
        found = values_of(await model.tag(texts, Asking(), not model.finds_entities))
        return {_tags_of(model): [orjson.dumps(one).decode() for one in found]}
    if isinstance(model, ServedHeads):
        said = values_of(await model.said(texts, Asking(), asked.texts.get("pair")))
        return {
            head: [orjson.dumps(one["heads"][head]).decode() for one in said]
            for head in said[0]["heads"]
        }
    assert isinstance(model, ServedLabeller)
    found = values_of(await model.predict(texts, Asking(), asked.texts.get("pair")))
    if len(model.labels) < 2:
        return {"value": np.stack([one.outputs for one in found])}
    scores = np.stack([model.scores(one) for one in found])
    labels = [model.labels[best] for best in scores.argmax(1).tolist()]
    return {"probabilities": scores, "label": labels}


def _tags_of(model: ServedTagger) -> str:
    return "entities" if model.finds_entities else "words"


def _metadata(model: ServedModel) -> dict[str, Any]:
    text = {"datatype": "BYTES", "shape": [-1]}
    inputs = [{"name": "text", **text}]
    if isinstance(model, ServedEmbedder):
        outputs = [{"name": "embedding", "datatype": "FP32", "shape": [-1, model.dimensions]}]
    elif isinstance(model, ServedTagger):
        outputs = [{"name": _tags_of(model), **text}]
    elif isinstance(model, ServedAnswerer):
        inputs.append({"name": "pair", **text})
        outputs = [{"name": "text", **text}]
    elif isinstance(model, ServedFiller | ServedWriter):
        outputs = [{"name": "text", **text}]
    elif isinstance(model, ServedHeads):
        inputs.append({"name": "pair", **text})
        outputs = [{"name": head, **text} for head in model.card["heads"]]
    else:
        assert isinstance(model, ServedLabeller)
        inputs.append({"name": "pair", **text})
        count = len(model.labels)
        outputs = [{"name": "value", "datatype": "FP32", "shape": [-1, 1]}]
        if count > 1:
            outputs = [
                {"name": "probabilities", "datatype": "FP32", "shape": [-1, count]},
                {"name": "label", **text},
            ]
    return {
        "name": model.name,
        "versions": ["1"],
        "platform": "manyheads",
        "inputs": inputs,
        "outputs": outputs,
    }


def _error(error: Exception) -> Json:
    return Json({"error": told(error)}, 400 if status_of(error) == 422 else status_of(error))
