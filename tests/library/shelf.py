"""Small libraries with a real embedder that counts what it is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests import tiny
from tests.serve import models

import manyheads as mh

CUT = mh.Passages(tokens=14, overlap=4)
ROWS = {
    "id": ["cats", "lakes", "tea"],
    "title": ["Cats", "Lakes", "茶"],
    "text": [
        "The cats sleep all day. They eat at night.",
        "Berlin has many lakes. The largest one is the Mueggelsee.",
        "他每天早上喝绿茶。下午他去图书馆看书。",
    ],
}


def counting(folder: Path) -> tuple[mh.Embedder, list[str]]:
    """Return an embedder, and the list to which it adds all passages that it embeds."""
    embedder: mh.Embedder = mh.load(folder)
    seen: list[str] = []
    embed = embedder.embed

    def counted(texts: Sequence[str], **settings: Any) -> Any:
        seen.extend(texts)
        return embed(texts, **settings)

    embedder.embed = counted  # type: ignore[method-assign, assignment]
    return embedder, seen


def model(folder: Path) -> Path:
    """Write an embedder that reads 24 tokens."""
    return models.embedder(folder)


def answerer() -> mh.Answerer:
    """Return a model that finds answers, of random weights: what it says is real, if not right."""
    rows = {"text": ["Who?", "What?"] * 4, "pair": ["It was Ada."] * 8, "label": ["Ada"] * 8}
    learner = mh.Learner(tiny.SCRATCH, mh.Answering(), mh.read(rows, pair="pair"))
    predictor = learner.predictor()
    assert isinstance(predictor, mh.Answerer)
    return predictor
