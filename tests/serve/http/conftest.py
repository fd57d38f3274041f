"""One server of three small models for all tests of its wires."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.serve import models
from tests.writer import models as writers

from .server import Server, serving


@pytest.fixture(scope="package")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return models.of_each_kind(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="package")
def all_kinds(
    folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Those, and models that fill masks, that tag, that answer questions and that write."""
    root = tmp_path_factory.mktemp("kinds")
    return folders | {
        "masks": models.masks(root / "masks"),
        "names": models.tagger(root / "names"),
        "answers": models.answers(root / "answers"),
        "writer": writers.publish(root / "writer", "t5", generation={"max_new_tokens": 8}),
    }


@pytest.fixture(scope="package")
def server(folders: dict[str, Path]) -> Iterator[Server]:
    with serving(*(f"{name}={folder}" for name, folder in folders.items())) as running:
        yield running


@pytest.fixture(scope="package")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as made:
        yield made
