"""The wire of text-embeddings-inference: /embed, /embed_all, /predict, /rerank, /similarity, …

Its requests name no model: vectors are made by the first model that makes them, labels said by the
first that says them.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from manyheads._version import __version__
from manyheads.core.similarity import Similarity
from manyheads.errors import (
    Draining,
    ManyHeadsError,
    Overloaded,
    ServiceError,
    TextError,
    TooLong,
    TooMany,
    WrongModel,
)
from manyheads.serve.http.answering import HuggingFaceRequest, answer_as_hugging_face
from manyheads.serve.http.replies import Json, route_of, told
from manyheads.serve.http.tei_requests import (
    DecodeRequest,
    EmbedAllRequest,
    EmbedRequest,
    Empty,
    Grouping,
    PredictRequest,
    RerankRequest,
    SimilarityParameters,
    SimilarityRequest,
    TaggingParameters,
    TaggingRequest,
    TokenizeRequest,
)
from manyheads.serve.model import Asking, Result, ServedEmbedder, ServedModel, values_of
from manyheads.serve.predictors import Prediction, ServedLabeller, ServedTagger
from manyheads.serve.served_answerer import ServedAnswerer
from manyheads.serve.served_heads import ServedHeads
from manyheads.serve.service import Service

Asked = TypeVar("Asked", bound=BaseModel)


def router(service: Service) -> APIRouter:
    """Return the routes of this wire."""
    routes = APIRouter(route_class=route_of(_error), tags=["text-embeddings-inference"])

    @routes.post("/embed")
    async def embed(asked: EmbedRequest) -> Json:
        """Make a vector of each text."""
        model = service.embedder(None)
        results = await _embedded(model, asked)
        return Json(values_of(results))

    @routes.post("/embed_all")
    async def embed_all(asked: EmbedAllRequest) -> Json:
        """Make a vector of each token of each text."""
        model = service.embedder(None)
        texts = _several(asked.inputs)
        results = await model.tokens(texts, asked.asking(), asked.prompt_name)
        return Json([vectors[0] for vectors in values_of(results)])

    @routes.post("/predict")
    async def predict(asked: PredictRequest) -> Json:
        """Say how well each label fits each text, the best one first."""
        model = service.labeller(None)
        # A list of strings is a pair; a batch is a list of lists.
        single = isinstance(asked.inputs, str) or any(isinstance(one, str) for one in asked.inputs)
        rows: Any = [asked.inputs] if single else asked.inputs
        texts, pairs = _texts_and_pairs(rows)
        found = values_of(await model.predict(texts, asked.asking(), pairs))
        ranked = [_scored(model, one, asked.raw_scores) for one in found]
        return Json(ranked[0] if single else ranked)

    @routes.post("/rerank")
    async def rerank(asked: RerankRequest) -> Json:
        """Order texts by how well they answer a query."""
        model = service.labeller(None)
        if len(model.labels) != 1:
            raise WrongModel(
                f"the model {model.name} has {len(model.labels)} labels, it does not rank"
            )
        texts = _several(asked.texts)
        found = values_of(await model.predict([asked.query] * len(texts), asked.asking(), texts))
        scores = np.array([float(one.outputs[0]) for one in found])
        scores = scores if asked.raw_scores else 1 / (1 + np.exp(-scores))
        order = np.argsort(-scores, kind="stable").tolist()
        ranks = [{"index": i, "score": float(scores[i])} for i in order]
        if asked.return_text:
            ranks = [rank | {"text": texts[i]} for rank, i in zip(ranks, order, strict=True)]
        return Json(ranks)

    @routes.post("/similarity")
    async def similarity(asked: SimilarityRequest) -> Json:
        """Say how near each text is to the first one, by the cosine of their vectors."""
        model, how = service.embedder(None), asked.parameters or SimilarityParameters()
        texts = [asked.inputs.source_sentence, *_several(asked.inputs.sentences)]
        vectors = np.stack(values_of(await model.embed(texts, how.asking(), how.prompt_name)))
        return Json(Similarity.COSINE(vectors[:1], vectors[1:])[0].astype(np.float32))

    @routes.post("/")
    async def first_model(asked: dict[str, Any]) -> Json:
        """Ask the first model what it is there for: vectors, labels, ranks, tags or answers."""
        match model := service.model(None):
            case ServedAnswerer():
                return await answer_as_hugging_face(model, _as(HuggingFaceRequest, asked))
            case ServedEmbedder() if isinstance(asked.get("inputs"), dict):
                return await similarity(_as(SimilarityRequest, asked))
            case ServedEmbedder():
                return await embed(_as(EmbedRequest, asked))
            case ServedLabeller() if "query" in asked:
                return await rerank(_as(RerankRequest, asked))
            case ServedTagger() as model:
                return Json(await _tagged(model, _as(TaggingRequest, asked)))
        return await predict(_as(PredictRequest, asked))

    @routes.post("/tokenize")
    async def tokenize(asked: TokenizeRequest) -> Json:
        """Cut texts into tokens."""
        reader = service.model(None).reader
        prompt = "" if asked.prompt_name is None else reader.prompts.named(asked.prompt_name)
        return Json(
            [
                reader.tokens(prompt + text, framed=asked.add_special_tokens)
                for text in _several(asked.inputs)
            ]
        )

    @routes.post("/decode")
    async def decode(asked: DecodeRequest) -> Json:
        """Make text of ids."""
        ids: Any = asked.ids if asked.ids and isinstance(asked.ids[0], list) else [asked.ids]
        reader = service.model(None).reader
        return Json(reader.decode(ids, asked.skip_special_tokens))

    @routes.get("/info")
    async def info() -> Json:
        """Say what is served and how much of it at once."""
        return Json(_info(service))

    return routes


def _as(kind: type[Asked], asked: dict[str, Any]) -> Asked:
    """Return a request of a kind; raises `RequestValidationError` for what is none."""
    try:
        return kind.model_validate(asked)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


async def _embedded(model: ServedEmbedder, asked: EmbedRequest) -> list[Result[np.ndarray]]:
    """Return a vector for each input, text or ids, in their order."""
    inputs: Any = asked.inputs
    if isinstance(inputs, str) or (inputs and isinstance(inputs[0], int)):
        inputs = [inputs]
    if not inputs:
        raise Empty("`inputs` cannot be empty")
    texts = [one for one in inputs if isinstance(one, str)]
    ids = [one for one in inputs if not isinstance(one, str)]
    of_texts = iter(
        await model.embed(
            texts, asked.asking(), asked.prompt_name, asked.dimensions, asked.normalize
        )
    )
    of_ids = iter(await model.embed_ids(ids, asked.asking(), asked.dimensions, asked.normalize))
    return [next(of_texts if isinstance(one, str) else of_ids) for one in inputs]


def _several(inputs: str | list[str]) -> list[str]:
    if not inputs and not isinstance(inputs, str):
        raise Empty("`inputs` cannot be empty")
    return [inputs] if isinstance(inputs, str) else inputs


def _texts_and_pairs(rows: list[Any]) -> tuple[list[str], list[str] | None]:
    """Return first and second texts; raises `TextError` where some rows are pairs and some not."""
    if not rows:
        raise Empty("`inputs` cannot be empty")
    parts = [[one] if isinstance(one, str) else one for one in rows]
    sizes = {len(one) for one in parts}
    if not sizes <= {1, 2} or len(sizes) > 1:
        raise TextError("inputs must all be single texts, or all be pairs")
    return [one[0] for one in parts], [one[1] for one in parts] if sizes == {2} else None


async def _tagged(model: ServedTagger, asked: TaggingRequest) -> Any:
    """Return the entities of each text, or its words, as Hugging Face's pipelines have them."""
    how = asked.parameters or TaggingParameters()
    by_words = how.aggregation_strategy is Grouping.NONE
    ignored = ["O"] if how.ignore_labels is None else how.ignore_labels
    kind = "entity" if by_words else "entity_group"
    found = values_of(
        await model.tag(
            _several(asked.inputs), Asking(), by_words=by_words or not model.finds_entities
        )
    )
    texts = [
        [
            {
                kind: one["label"],
                "score": one["probability"],
                "word": one["text"],
                "start": one["start"],
                "end": one["end"],
            }
            for one in spans
            if one["label"] not in ignored
        ]
        for spans in found
    ]
    return texts[0] if isinstance(asked.inputs, str) else texts


def _scored(model: ServedLabeller, prediction: Prediction, raw: bool) -> list[dict[str, Any]]:
    scores = prediction.outputs if raw else model.scores(prediction)
    labels = model.labels or ["LABEL_0"]
    ranked = sorted(zip(labels, scores.tolist(), strict=True), key=lambda one: -one[1])
    return [{"score": score, "label": label} for label, score in ranked]


def _info(service: Service) -> dict[str, Any]:
    model = service.model(None)
    limits = model.reception.limits
    return {
        "model_id": model.name,
        "model_sha": None,
        "model_dtype": "float32",
        "served_model_name": model.name,
        "model_type": _model_type(model),
        "max_concurrent_requests": limits.queue_tokens,
        "max_input_length": model.reader.max_tokens,
        "max_batch_tokens": limits.batch_tokens,
        "max_batch_requests": None,
        "max_client_batch_size": limits.texts_per_request,
        "auto_truncate": False,
        "tokenization_workers": 2,
        "version": __version__,
        "sha": None,
        "docker_label": None,
    }


def _model_type(model: ServedModel) -> dict[str, Any]:
    """Return what a model is, in the words of this wire where it has any."""
    match model:
        case ServedEmbedder():
            return {"embedding": {"pooling": "+".join(model.card["poolings"])}}
        case ServedLabeller():
            kind = "classifier" if len(model.labels) > 1 else "reranker"
            labels = {str(i): name for i, name in enumerate(model.labels)}
            named = {name: int(i) for i, name in labels.items()}
            return {kind: {"id2label": labels, "label2id": named}}
        case ServedHeads():
            return {"heads": model.card["heads"]}
    return {model.card["kind"]: {}}


def _error(error: Exception) -> Json:
    status, kind = _kind(error)
    return Json({"error": told(error), "error_type": kind}, status)


def _kind(error: Exception) -> tuple[int, str]:
    """Return the status and the type that this wire gives an error."""
    match error:
        case Overloaded():
            return 429, "Overloaded"
        case Draining():
            return 503, "Unhealthy"
        case ServiceError():
            return 424, "Backend"
        case Empty():
            return 400, "Empty"
        case TooLong() | TooMany():
            return 413, "Validation"
        case TextError():
            return 422, "Tokenizer"
        case ManyHeadsError():
            return 413, "Validation"
        case _:
            return 422, "Validation"
