"""Somebody's documents, searched by words and by meaning, and asked for answers.

    source ─ documents ─ passages ─┬─ words ─→ BM25 ────────────┬─ fused ─→ passages
                                   └─ embedder ─→ near vectors ─┘ (reranked)└─ answerer ─→ answers

`documents` and `files` read, `passages` cuts, `words` and `meaning` find, `store` keeps all of it
on disk, `searched` asks, `updating` says what is new, and `library` is the front door.
"""

from __future__ import annotations

from manyheads.library.answers import Found, FoundAnswer
from manyheads.library.calibration import Isotonic, Platt
from manyheads.library.contents import Collected
from manyheads.library.documents import Document
from manyheads.library.library import Library
from manyheads.library.modes import ByBoth, ByMeaning, ByWords, Reranked
from manyheads.library.passages import Passages
from manyheads.library.updating import Update

__all__ = [
    "ByBoth",
    "ByMeaning",
    "ByWords",
    "Collected",
    "Document",
    "Found",
    "FoundAnswer",
    "Isotonic",
    "Library",
    "Passages",
    "Platt",
    "Reranked",
    "Update",
]
