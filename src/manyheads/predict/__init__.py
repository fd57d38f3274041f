"""A model together with its task: callable, saved as a folder, opened in another process.

There is one type of predictor for each kind of task; `load` returns the one that a folder is of.
"""

from __future__ import annotations

from manyheads.predict.embedding import Embedded, Embedder
from manyheads.predict.filling import Candidate, Filled, MaskFiller
from manyheads.predict.folder import FORMAT, MANIFEST
from manyheads.predict.images import ImagePredictor
from manyheads.predict.load import is_embedder, load, predictor_of, settings_of, task_of
from manyheads.predict.running import BATCH_TOKENS, map_batches, run
from manyheads.predict.sequence import Answer, Predictor
from manyheads.predict.settings import Settings, TextSettings
from manyheads.predict.writing import TextGenerator, TextWriter, WritingPredictor

__all__ = [
    "BATCH_TOKENS",
    "FORMAT",
    "MANIFEST",
    "Answer",
    "Candidate",
    "Embedded",
    "Embedder",
    "Filled",
    "ImagePredictor",
    "MaskFiller",
    "Predictor",
    "Settings",
    "TextGenerator",
    "TextSettings",
    "TextWriter",
    "WritingPredictor",
    "is_embedder",
    "load",
    "map_batches",
    "predictor_of",
    "run",
    "settings_of",
    "task_of",
]
