"""Writing: one engine for greedy search, beams and samples, for one text or thousands.

settings     how to write: strategies, limits, constraints
phrases      where phrases stand in a text, and what begins and completes them
room         how many tokens it takes to write what is required
constraints  what the next token may not be, and what it must be
sampling     which tokens a sample may draw, and the draw
offers       from a row of logits to the tokens that a search may go on with
search       which offers its paths go on with, which outputs it finds
request      what is asked, what is answered
work         requests in work together, with their rows of cache and memory
engine       all of it, step by step
speculate    what a smaller model, or a rounded copy, guesses ahead
lookup       what the text itself lets guess
score        scores and alignments of given outputs
stream       text as it is being written
"""

from __future__ import annotations

from manyheads.generate.engine import Engine, generate
from manyheads.generate.lookup import Lookup
from manyheads.generate.request import News, Output, Request, Writer
from manyheads.generate.score import Given, align, coverage, score
from manyheads.generate.search import Finish, Hypothesis
from manyheads.generate.settings import Beam, Greedy, Sample, Settings, Stopping, Strategy
from manyheads.generate.speculate import Draft, Rounded
from manyheads.generate.stream import TextStream, cut_at

__all__ = [
    "Beam",
    "Draft",
    "Engine",
    "Finish",
    "Given",
    "Greedy",
    "Hypothesis",
    "Lookup",
    "News",
    "Output",
    "Request",
    "Rounded",
    "Sample",
    "Settings",
    "Stopping",
    "Strategy",
    "TextStream",
    "Writer",
    "align",
    "coverage",
    "cut_at",
    "generate",
    "score",
]
