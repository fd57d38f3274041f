"""One server of three small models for all tests of its wires."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.serve import models

from .server import Server, serving


@pytest.fixture(scope="package")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("served")
    return {
        "vectors": models.embedder(root / "vectors"),
        "moods": models.classifier(root / "moods"),
        "ranks": models.ranker(root / "ranks"),
    }


@pytest.fixture(scope="package")
def server(folders: dict[str, Path]) -> Iterator[Server]:
    with serving(*(f"{name}={folder}" for name, folder in folders.items())) as running:
        yield running


@pytest.fixture(scope="package")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as made:
        yield made
