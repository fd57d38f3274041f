"""The application: all wires over one service, with health and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import FastAPI, Response
from fastapi.middleware.cors import CORSMiddleware

from manyheads._version import __version__
from manyheads.serve.http import (
    admin,
    answering,
    bert,
    completions,
    dashboard,
    kserve,
    native,
    openai,
    tei,
    writing,
)
from manyheads.serve.http.guards import Keyed, Limited
from manyheads.serve.http.metrics import CONTENT_TYPE, Metrics
from manyheads.serve.http.noting import REQUEST_ID, Noted, Recorder
from manyheads.serve.http.replies import Json
from manyheads.serve.service import Service


@dataclass(frozen=True)
class Access:
    """Who may ask, and how much at once.

    Attributes:
        keys: What clients must send one of; none lets everybody in.
        operators: What operators must send one of; none: there are no routes for them.
        metrics_are_open: Whether /metrics needs no key.
        origins: Web pages that browsers may ask from; "*" for all.
        body_megabytes: The largest request.
    """

    keys: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    metrics_are_open: bool = False
    origins: tuple[str, ...] = ()
    body_megabytes: int = 32


def make_app(
    service: Service, metrics: Metrics, access: Access, recorders: Sequence[Recorder] = ()
) -> FastAPI:
    """Return the application of a service, which somebody else starts and ends.

    Recorders are told of every request; who made them closes them.
    """
    app = FastAPI(title="manyheads", version=__version__, default_response_class=Json)
    for wire in (native, answering, writing, openai, completions, tei, kserve, bert):
        app.include_router(wire.router(service))
    if access.operators:
        app.include_router(admin.router(service))
    app.include_router(dashboard.router(service, metrics))
    _add_health(app, service, metrics)
    # The last one stands before all others.
    app.add_middleware(
        Keyed,
        keys=access.keys,
        operators=access.operators,
        metrics_are_open=access.metrics_are_open,
    )
    app.add_middleware(Limited, limit=access.body_megabytes << 20)
    if access.origins:
        everything = {"allow_methods": ["*"], "allow_headers": ["*"]}
        shown = {"expose_headers": [REQUEST_ID, "Retry-After"]}
        app.add_middleware(
            CORSMiddleware, allow_origins=list(access.origins), **everything, **shown
        )
    app.add_middleware(Noted, metrics=metrics, recorders=recorders)
    return app


def _add_health(app: FastAPI, service: Service, metrics: Metrics) -> None:
    @app.get("/livez", tags=["health"])
    async def livez() -> Json:
        """Say that the service itself is there."""
        return Json({"status": "live"})

    @app.get("/readyz", tags=["health"])
    @app.get("/health", tags=["health"])
    async def readyz() -> Json:
        """Say whether all models take questions and make progress with those that they have."""
        ready = service.is_ready
        return Json({"status": "ready" if ready else "not ready"}, 200 if ready else 503)

    @app.get("/metrics", tags=["health"])
    async def numbers() -> Response:
        """Return what Prometheus reads."""
        return Response(metrics.text(service), media_type=CONTENT_TYPE)
