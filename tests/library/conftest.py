"""A model and a library of three documents."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.library import shelf

import manyheads as mh

pytest.importorskip("usearch")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shelf.model(tmp_path_factory.mktemp("library") / "vectors-model")


@pytest.fixture
def library(model: Path, tmp_path: Path) -> mh.Library:
    made = mh.Library.create(tmp_path / "library", embedder=model, passages=shelf.CUT)
    made.update(shelf.ROWS, id="id", title="title", name="rows")
    return made
