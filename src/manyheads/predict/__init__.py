"""A model together with its task: callable, saved as a folder, opened in another process.

There is one type of predictor for each kind of task; `load` returns the one that a folder is of.
"""

from __future__ import annotations

from manyheads.predict.embedding import Embedded, Embedder
from manyheads.predict.filling import Candidate, Filled, MaskFiller
from manyheads.predict.folder import FORMAT, MANIFEST
from manyheads.predict.load import load, predictor_of, settings_of
from manyheads.predict.running import BATCH_TOKENS, map_batches, run
from manyheads.predict.sequence import Answer, Predictor
from manyheads.predict.settings import Settings
from manyheads.predict.writing import TextGenerator, TextWriter

__all__ = [
    "BATCH_TOKENS",
    "FORMAT",
    "MANIFEST",
    "Answer",
    "Candidate",
    "Embedded",
    "Embedder",
    "Filled",
    "MaskFiller",
    "Predictor",
    "Settings",
    "TextGenerator",
    "TextWriter",
    "load",
    "map_batches",
    "predictor_of",
    "run",
    "settings_of",
]
