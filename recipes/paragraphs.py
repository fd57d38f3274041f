"""What recipes that search the paragraphs of SQuAD have in common."""

from __future__ import annotations

from pathlib import Path

from judged import MINILM

import manyheads as mh
from manyheads.data import Split
from manyheads.library.modes import Mode
from manyheads.tasks import ranking_scores
from manyheads.tasks.metrics import Scores

READ = 20  # passages


def library_of(paragraphs: list[str], folder: Path) -> mh.Library:
    """Return a library of paragraphs, each known by its number, from 1 on."""
    library = mh.Library.create(folder, embedder=MINILM)
    library.update({"text": paragraphs}, name="squad")
    print(f"{len(library):,} paragraphs, {library.passages:,} passages", flush=True)
    return library


def report(name: str, library: mh.Library, asked: Split, paragraphs: list[str], mode: Mode) -> None:
    """Print how well the paragraph of each question is found, by its best passage of 20."""
    number = {paragraph: row for row, paragraph in enumerate(paragraphs)}
    rankings = []
    for question in asked.columns["text"]:
        passages = library.search(question, n=READ, mode=mode)
        rankings.append(list(dict.fromkeys(int(one.document) - 1 for one in passages)))
    wanted = [{number[paragraph]} for paragraph in asked.columns["pair"]]
    print(name, spelled(ranking_scores(rankings, wanted, len(paragraphs))), flush=True)


def spelled(scores: Scores) -> str:
    """Return scores by name, in a line."""
    return "   ".join(f"{name} {value:.4f}" for name, value in scores.numbers().items())
