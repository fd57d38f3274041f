"""From text to text: a model that writes, what is asked of it in words, and what it answers.

wording    how a text is to be written, in readable settings
phrases    phrases as the tokens that may spell them
settle     from wording to what the engine keeps to
results    what a generator answers
generator  texts in, texts out
given      outputs that are there already, as tokens behind their texts
documents  what is longer than a model reads: sentence by sentence, summary by summary
"""

from __future__ import annotations

from manyheads.writer.documents import summarize, summarizing, translate, translating
from manyheads.writer.generator import Generator
from manyheads.writer.results import Alignment, Document, Scored, Written
from manyheads.writer.wording import Wording

__all__ = [
    "Alignment",
    "Document",
    "Generator",
    "Scored",
    "Wording",
    "Written",
    "summarize",
    "summarizing",
    "translate",
    "translating",
]
