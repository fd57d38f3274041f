"""The application: all wires over one service, with health and metrics."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import FastAPI, Response
from fastapi.middleware.cors import CORSMiddleware

from manyheads._version import __version__
from manyheads.serve.http import bert, kserve, native, openai, tei
from manyheads.serve.http.guards import Counted, Keyed, Limited
from manyheads.serve.http.metrics import CONTENT_TYPE, Metrics
from manyheads.serve.http.replies import Json
from manyheads.serve.service import Service


@dataclass(frozen=True)
class Access:
    """Who may ask, and how much at once.

    Attributes:
        keys: What clients must send one of; none lets everybody in.
        metrics_are_open: Whether /metrics needs no key.
        origins: Web pages that browsers may ask from; "*" for all.
        body_megabytes: The largest request.
    """

    keys: tuple[str, ...] = ()
    metrics_are_open: bool = False
    origins: tuple[str, ...] = ()
    body_megabytes: int = 32


def make_app(service: Service, metrics: Metrics, access: Access) -> FastAPI:
    """Return the application of a service, which somebody else starts and ends."""
    app = FastAPI(title="manyheads", version=__version__, default_response_class=Json)
    for wire in (native, openai, tei, kserve, bert):
        app.include_router(wire.router(service))
    _add_health(app, service, metrics)
    # The last one stands before all others.
    if access.keys:
        keys, are_open = list(access.keys), access.metrics_are_open
        app.add_middleware(Keyed, keys=keys, metrics_are_open=are_open)
    app.add_middleware(Limited, limit=access.body_megabytes << 20)
    if access.origins:
        everything = {"allow_methods": ["*"], "allow_headers": ["*"]}
        app.add_middleware(CORSMiddleware, allow_origins=list(access.origins), **everything)
    app.add_middleware(Counted, metrics=metrics)
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
