"""What vectors of a split are worth, by the scores of its pairs or by a search for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from manyheads.core.similarity import nearest, unit_length
from manyheads.errors import MissingExtra
from manyheads.tasks import baseline
from manyheads.tasks.labels import SIDES
from manyheads.tasks.metrics import Scores
from manyheads.tasks.regress import Valued
from manyheads.tasks.similarity.baseline import BM25, search_by_words
from manyheads.tasks.similarity.samples import numbered
from manyheads.tasks.similarity.scores import Search, ranking_scores, similarity_scores
from manyheads.tasks.task import Columns, Judgement

TF_IDF = "TF-IDF"
_FOUND = 10  # documents for each query


def by_scores(
    vectors: np.ndarray, columns: Columns, loss: float, losses: Sequence[float]
) -> Judgement:
    """Compare the cosines of pairs, whose vectors are (2, N, E), with their scores."""
    texts, pairs = unit_length(vectors)
    cosines = (texts * pairs).sum(1).tolist()
    return Judgement(
        loss=loss,
        scores=similarity_scores([float(label) for label in columns["label"]], cosines),
        rows=range(len(losses)),
        losses=losses,
        prediction=lambda row: Valued(cosines[row]),
    )


def by_search(
    vectors: np.ndarray, columns: Columns, loss: float, losses: Sequence[float]
) -> Judgement:
    """Search for the pair of each text, by vectors (S, N, E) of all sides.

    What is predicted for a row is the document that is found first.
    """
    vectors, (sides, search) = unit_length(vectors), _search(columns)
    queries = vectors[0, search.queries]
    documents = vectors[tuple(np.array(search.documents).T)]
    found, _ = nearest(
        lambda rows: queries[rows] @ documents.T, len(queries), len(documents), _FOUND
    )

    def first(row: int) -> str:
        side, place = search.documents[found[search.asked[row], 0]]
        return sides[side][place]

    return Judgement(
        loss=loss,
        scores=ranking_scores(found.tolist(), search.relevant, len(documents)),
        rows=range(len(losses)),
        losses=losses,
        prediction=first,
    )


def baseline_scores(known: Sequence[str], columns: Columns) -> tuple[str, Scores]:
    """Return what has to be beaten, and what it reaches: in a search BM25, else TF-IDF.

    Vectors of TF-IDF, whose weights follow from the `known` texts, also search without bm25s.
    """
    if "label" in columns:
        cosines = baseline.cosines(known, columns["text"], columns["pair"])
        labels = [float(label) for label in columns["label"]]
        return TF_IDF, similarity_scores(labels, cosines.tolist())
    sides, search = _search(columns)
    queries = [sides[0][row] for row in search.queries]
    documents = [sides[side][row] for side, row in search.documents]
    try:
        name, rankings = BM25, search_by_words(queries, documents, _FOUND)
    except MissingExtra:
        name, rankings = TF_IDF, baseline.search(known, queries, documents, _FOUND)
    return name, ranking_scores(rankings, search.relevant, len(documents))


def _search(columns: Columns) -> tuple[list[Sequence[str]], Search]:
    sides = [columns[side] for side in SIDES if side in columns]
    return sides, Search.of(numbered(sides))
