"""A page for operators that needs nothing but the service: /, and what it shows, /status."""

from __future__ import annotations

import base64
import re
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Response

from manyheads.serve.http.metrics import Metrics
from manyheads.serve.http.replies import Json
from manyheads.serve.http.status import status
from manyheads.serve.service import Service

_PAGE = Path(__file__).with_name("dashboard.html")


def router(service: Service, metrics: Metrics) -> APIRouter:
    """Return the routes of the dashboard."""
    routes = APIRouter(tags=["health"])
    page = _PAGE.read_text(encoding="utf-8")
    headers = {
        "Content-Security-Policy": _policy(page),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }

    @routes.get("/", include_in_schema=False)
    async def dashboard() -> Response:
        """Show the page, which asks for all else by itself."""
        return Response(page, media_type="text/html", headers=headers)

    @routes.get("/status")
    async def now() -> Json:
        """Say how fast the service answers, what waits, what went wrong, and how each model is."""
        return Json(status(service, metrics))

    return routes


def _policy(page: str) -> str:
    """Return what a browser lets the page do: run what stands in it, and ask this service."""
    allowed = {
        "default-src": "'none'",
        "script-src": _hash(page, "script"),
        "style-src": _hash(page, "style"),
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


def _hash(page: str, tag: str) -> str:
    (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    digest = sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
