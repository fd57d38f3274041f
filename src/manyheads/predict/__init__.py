"""A model together with its task: callable, saved as a folder, opened in another process.

There is one type of predictor for each kind of task; `load` returns the one that a folder is of.
"""

from __future__ import annotations

from manyheads.predict.answer import Answer
from manyheads.predict.answering import Answered, Answerer
from manyheads.predict.embedding import Embedded, Embedder
from manyheads.predict.ensemble import ensemble
from manyheads.predict.filling import Candidate, Filled, MaskFiller
from manyheads.predict.folder import FORMAT, MANIFEST, parts_of
from manyheads.predict.images import ImagePredictor
from manyheads.predict.load import load, predictor_of, task_of
from manyheads.predict.manifest import is_embedder, settings_of
from manyheads.predict.many import ManyPredictor
from manyheads.predict.reranker import Ranked, Reranker
from manyheads.predict.running import BATCH_TOKENS, map_batches, map_ragged, run
from manyheads.predict.sequence import Predictor
from manyheads.predict.settings import ManySettings, Settings, TextSettings
from manyheads.predict.tagging import Entity, TaggedText, Tagger
from manyheads.predict.writing import TextGenerator, TextWriter, WritingPredictor
from manyheads.predict.zero_shot import ZeroShot

__all__ = [
    "BATCH_TOKENS",
    "FORMAT",
    "MANIFEST",
    "Answer",
    "Answered",
    "Answerer",
    "Candidate",
    "Embedded",
    "Embedder",
    "Entity",
    "Filled",
    "ImagePredictor",
    "ManyPredictor",
    "ManySettings",
    "MaskFiller",
    "Predictor",
    "Ranked",
    "Reranker",
    "Settings",
    "TaggedText",
    "Tagger",
    "TextGenerator",
    "TextSettings",
    "TextWriter",
    "WritingPredictor",
    "ZeroShot",
    "ensemble",
    "is_embedder",
    "load",
    "map_batches",
    "map_ragged",
    "parts_of",
    "predictor_of",
    "run",
    "settings_of",
    "task_of",
]
