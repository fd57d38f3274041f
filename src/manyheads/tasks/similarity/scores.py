"""How good vectors of texts are: their cosines beside people's scores, and what a search finds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyheads.core.similarity import Similarity, nearest, unit_length
from manyheads.errors import DataError
from manyheads.tasks.metrics import Scores

# Of one query, the documents that answer it: how much each is worth, or all the same.
Relevant = Mapping[int, float] | Set[int]
_CUTOFFS = (1, 5, 10)


@dataclass(frozen=True)
class SimilarityScores(Scores):
    """How cosines go with the scores of pairs; None where one side does not vary."""

    count: int
    spearman: float | None
    pearson: float | None


@dataclass(frozen=True)
class RetrievalScores(Scores):
    """What a search finds, as a mean over queries.

    `accuracy` counts queries whose first document is relevant. `recall` is the share of the
    relevant documents among the first so many, for each of `cutoffs`. The others look as far as the
    last of these: the reciprocal rank of the first relevant document (MRR), nDCG (Järvelin &
    Kekäläinen 2002) and mean average precision (MAP).
    """

    count: int
    documents: int
    cutoffs: tuple[int, ...]
    accuracy: float
    recall: tuple[float, ...]
    reciprocal_rank: float
    ndcg: float
    average_precision: float

    def numbers(self) -> dict[str, float]:
        """Return every score by its usual name, such as ``ndcg_at_10``."""
        last = self.cutoffs[-1]
        recalls = zip(self.cutoffs, self.recall, strict=True)
        return {
            f"ndcg_at_{last}": self.ndcg,
            f"mrr_at_{last}": self.reciprocal_rank,
            f"map_at_{last}": self.average_precision,
            "accuracy_at_1": self.accuracy,
            **{f"recall_at_{k}": value for k, value in recalls},
        }

    def to_json(self) -> dict[str, Any]:
        """Return all scores as JSON."""
        return {"count": self.count, "documents": self.documents, **self.numbers()}


@dataclass(frozen=True)
class ScoresByLength(Scores):
    """Scores of whole vectors, and those of vectors cut to fewer dimensions, by their number."""

    whole: Scores
    cut: Mapping[int, Scores]

    def numbers(self) -> dict[str, float]:
        """Return the scores of whole vectors, and the first one of each length."""
        shorter = {
            f"{name}_of_{length}": value
            for length, scores in self.cut.items()
            for name, value in list(scores.numbers().items())[:1]
        }
        return self.whole.numbers() | shorter

    def to_json(self) -> dict[str, Any]:
        """Return the scores of whole vectors as JSON, with those of each length."""
        cut = {str(length): scores.to_json() for length, scores in self.cut.items()}
        return {**self.whole.to_json(), "by_length": cut}


def similarity_scores(scores: Sequence[float], cosines: Sequence[float]) -> SimilarityScores:
    """Return the correlations of cosines with scores; raises `DataError` for none, or too few."""
    from scipy import stats

    if len(scores) != len(cosines) or not scores:
        raise DataError(f"{len(cosines)} cosines for {len(scores)} scores; give one for each")
    if np.ptp(scores) == 0 or np.ptp(cosines) == 0:
        return SimilarityScores(len(scores), None, None)
    return SimilarityScores(
        count=len(scores),
        spearman=float(stats.spearmanr(scores, cosines).statistic),
        pearson=float(stats.pearsonr(scores, cosines).statistic),
    )


def retrieval_scores(
    queries: np.ndarray,
    documents: np.ndarray,
    relevant: Sequence[Relevant],
    *,
    cutoffs: Sequence[int] = _CUTOFFS,
    similarity: Similarity = Similarity.COSINE,
) -> RetrievalScores:
    """Search documents (N, E) with each query (Q, E), and score what is found first.

    `relevant` holds for each query the numbers of the documents that answer it, or how much each
    of them is worth. Raises `DataError` as `ranking_scores` does.
    """
    worth = _worth(relevant, len(documents))
    if similarity is Similarity.COSINE:
        queries, documents = unit_length(queries), unit_length(documents)
        similarity = Similarity.DOT

    def near(rows: slice) -> np.ndarray:
        return similarity(queries[rows], documents)

    rankings = nearest(near, len(queries), len(documents), max(cutoffs, default=1))[0]
    return ranking_scores(rankings.tolist(), worth, len(documents), cutoffs=cutoffs)


def ranking_scores(
    rankings: Sequence[Sequence[int]],
    relevant: Sequence[Relevant],
    documents: int,
    *,
    cutoffs: Sequence[int] = _CUTOFFS,
) -> RetrievalScores:
    """Score rankings that were made elsewhere: for each query documents, the best first.

    Raises `DataError` for cutoffs below 1, no queries, or queries whose relevant documents are
    none, or not there.
    """
    cutoffs = tuple(sorted(set(cutoffs)))
    if not cutoffs or cutoffs[0] < 1:
        raise DataError(f"cutoffs={list(cutoffs)} must be ranks from 1 on, such as 1, 5, 10")
    if len(rankings) != len(relevant) or not rankings:
        raise DataError(f"{len(relevant)} sets of relevant documents for {len(rankings)} queries")
    worth = _worth(relevant, documents)
    judged = list(zip(rankings, worth, strict=True))
    last = cutoffs[-1]

    def mean(score: Callable[[Sequence[int], Mapping[int, float], int], float], k: int) -> float:
        return math.fsum(score(ranking, gains, k) for ranking, gains in judged) / len(judged)

    return RetrievalScores(
        count=len(judged),
        documents=documents,
        cutoffs=cutoffs,
        accuracy=mean(reciprocal_rank, 1),
        recall=tuple(mean(recall, k) for k in cutoffs),
        reciprocal_rank=mean(reciprocal_rank, last),
        ndcg=mean(ndcg, last),
        average_precision=mean(average_precision, last),
    )


def recall(ranking: Sequence[int], gains: Mapping[int, float], k: int) -> float:
    """Return the share of the relevant documents among the first `k`."""
    return sum(document in gains for document in ranking[:k]) / len(gains)


def reciprocal_rank(ranking: Sequence[int], gains: Mapping[int, float], k: int) -> float:
    """Return one over the rank of the first relevant document, 0 where it is beyond `k`."""
    ranks = (rank for rank, document in enumerate(ranking[:k], 1) if document in gains)
    return 1.0 / next(ranks, math.inf)


def ndcg(ranking: Sequence[int], gains: Mapping[int, float], k: int) -> float:
    """Return the discounted gain of the first `k` documents, as a share of the best possible."""
    best = _discounted(sorted(gains.values(), reverse=True)[:k])
    return _discounted([gains.get(document, 0.0) for document in ranking[:k]]) / best


def average_precision(ranking: Sequence[int], gains: Mapping[int, float], k: int) -> float:
    """Return the mean over the relevant documents of the precision where each is found.

    Those beyond `k` count as not found; of more than `k` relevant ones only `k` are expected.
    """
    found, total = 0, 0.0
    for rank, document in enumerate(ranking[:k], 1):
        if document in gains:
            found += 1
            total += found / rank
    return total / min(len(gains), k)


def _worth(relevant: Sequence[Relevant], documents: int) -> list[dict[int, float]]:
    """Return what each relevant document of each query is worth, which is more than nothing.

    Raises `DataError` for a query that has none, or one that is not there.
    """
    worth = []
    for query, one in enumerate(relevant):
        gains = one if isinstance(one, Mapping) else dict.fromkeys(one, 1.0)
        gains = {document: float(gain) for document, gain in gains.items() if gain > 0}
        if not gains:
            raise DataError(f"query {query} has no relevant document; leave it out")
        if beyond := [document for document in gains if not 0 <= document < documents]:
            raise DataError(
                f"query {query} has the relevant document {beyond[0]}, which is not there; "
                f"documents are numbered from 0 to {documents - 1}"
            )
        worth.append(gains)
    return worth


def _discounted(gains: Sequence[float]) -> float:
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


@dataclass(frozen=True)
class Search:
    """The search that pairs without labels stand for: each text for its pair, among all of them.

    Equal texts are one query, equal pairs one document; hard negatives are documents too.

    Attributes:
        queries: Of each query, a row where it stands.
        documents: Of each document, a side (1 or 2) and a row where it stands.
        relevant: Of each query, the documents that stand beside it.
        asked: Of each row, its query.
    """

    queries: list[int]
    documents: list[tuple[int, int]]
    relevant: list[set[int]]
    asked: list[int]

    @classmethod
    def of(cls, numbers: Sequence[Sequence[int]]) -> Search:
        """Make it of a number for each text of each side, equal for equal texts, (S, N)."""
        texts, *others = numbers
        queries: dict[int, int] = {}
        documents: dict[int, tuple[int, int]] = {}
        for row, text in enumerate(texts):
            queries.setdefault(text, row)
        for side, column in enumerate(others, 1):
            for row, text in enumerate(column):
                documents.setdefault(text, (side, row))
        query_of = {text: number for number, text in enumerate(queries)}
        document_of = {text: number for number, text in enumerate(documents)}
        asked = [query_of[text] for text in texts]
        relevant: list[set[int]] = [set() for _ in queries]
        for query, pair in zip(asked, others[0], strict=True):
            relevant[query].add(document_of[pair])
        return cls(list(queries.values()), list(documents.values()), relevant, asked)
