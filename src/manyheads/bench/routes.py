"""The routes that a service is asked by: what is sent there, and what an answer says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from manyheads.errors import ConfigError


@dataclass(frozen=True)
class Answered:
    """What an answer holds: items, their tokens where it says so, and kinds of errors of items."""

    items: int
    tokens: int | None
    errors: tuple[str, ...] = ()


class Route(StrEnum):
    """A route, by its path."""

    EMBED = "/v1/embed"
    PREDICT = "/v1/predict"
    OPENAI = "/v1/embeddings"
    TEI = "/embed"

    def body(self, texts: Sequence[str], model: str | None) -> bytes:
        """Return the request for texts; raises `ConfigError` where it must name a model."""
        document: dict[str, Any]
        match self:
            case Route.EMBED | Route.PREDICT:
                document = {"inputs": list(texts)} | ({} if model is None else {"model": model})
            case Route.OPENAI if model is None:
                raise ConfigError(f"requests to {self} name a model; say --model NAME")
            case Route.OPENAI:
                document = {"input": list(texts), "model": model}
            case Route.TEI:
                document = {"inputs": list(texts), "truncate": True}
        return json.dumps(document, ensure_ascii=False).encode()

    def read(self, document: Any) -> Answered:
        """Return what an answer says; raises `LookupError`, `TypeError` where it is another's."""
        match self:
            case Route.EMBED | Route.PREDICT:
                items = document["items"]
                errors = tuple(one["error"]["type"] for one in items if "error" in one)
                done = [one["tokens"] for one in items if "error" not in one]
                return Answered(len(done), sum(done), errors)
            case Route.OPENAI:
                return Answered(len(document["data"]), document["usage"]["total_tokens"])
            case Route.TEI:
                return Answered(len([one[0] for one in document]), None)
