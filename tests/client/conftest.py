"""One service of three small models for all tests of its client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serve import models
from tests.serve.http.server import Server, serving

import manyheads as mh

pytest.importorskip("httpx")


@pytest.fixture(scope="package")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return models.of_each_kind(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="package")
def server(folders: dict[str, Path]) -> Iterator[Server]:
    with serving(*(f"{name}={folder}" for name, folder in folders.items())) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[mh.Client]:
    with mh.Client(server.url, timeout=60) as made:
        yield made
