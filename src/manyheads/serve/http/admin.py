"""Operators' routes: models that come, go and are exchanged while others answer.

Only there where the service has keys for operators; those of clients do not open them.
"""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from manyheads.serve.http.guards import OPERATORS
from manyheads.serve.http.native import refusal
from manyheads.serve.http.replies import Json, route_of
from manyheads.serve.opening import Opened
from manyheads.serve.service import Service
from manyheads.serve.settings import ModelSettings


class LoadRequest(BaseModel):
    """A model to serve; what is not said is chosen when it is open."""

    model_config = ConfigDict(extra="forbid")

    reference: str = Field(min_length=1, description="Folder, package:NAME/PATH or Hub id.")
    name: str = ""
    workers: int | None = Field(None, ge=1)
    threads: int | None = Field(None, ge=1)
    batch_tokens: int | None = Field(None, ge=1)
    queue_tokens: int = Field(ModelSettings.queue_tokens, ge=1)
    texts_per_request: int = Field(ModelSettings.texts_per_request, ge=1)
    rows: int = Field(ModelSettings.rows, ge=1)
    cache_megabytes: int = Field(0, ge=0)
    memory: int | None = Field(None, ge=64)
    device: str = "cpu"


class AliasRequest(BaseModel):
    """The model that has another name."""

    model_config = ConfigDict(extra="forbid")

    model: str


def router(service: Service) -> APIRouter:
    """Return the routes of operators."""
    routes = APIRouter(prefix=OPERATORS, route_class=route_of(refusal), tags=["operators"])

    @routes.get("/models")
    async def models() -> Json:
        """List what is served, with its sizes, and the aliases."""
        said = {name: _said(one) for name, one in service.opened.items()}
        return Json({"models": said, "aliases": dict(service.aliases)})

    @routes.post("/models")
    async def load(asked: LoadRequest) -> Json:
        """Open a model; one of the same name answers until it is there, and all it was asked."""
        begun = time.perf_counter()
        settings = ModelSettings(**asked.model_dump())
        replaced = settings.called in service.models
        opened = await service.load(settings)
        seconds = round(time.perf_counter() - begun, 3)
        said = {"name": settings.called, "replaced": replaced, "seconds": seconds}
        return Json(said | _said(opened))

    @routes.delete("/models/{name:path}")
    async def unload(name: str) -> Json:
        """Serve a model no longer."""
        await service.unload(name)
        return Json({"name": name, "unloaded": True})

    @routes.put("/aliases/{alias:path}")
    async def alias(alias: str, asked: AliasRequest) -> Json:
        """Let a model have another name."""
        service.alias(alias, asked.model)
        return Json({"alias": alias, "model": service.model(alias).name})

    @routes.delete("/aliases/{alias:path}")
    async def unalias(alias: str) -> Json:
        """Forget another name of a model."""
        service.unalias(alias)
        return Json({"alias": alias, "forgotten": True})

    return routes


def _said(opened: Opened) -> dict[str, Any]:
    reception = opened.model.reception
    return {
        "reference": opened.settings.reference,
        "kind": reception.card["kind"],
        "workers": opened.size.workers,
        "batch_tokens": opened.size.batch_tokens,
        "ready": reception.is_ready,
        "queued_tokens": reception.queued_tokens,
    }
