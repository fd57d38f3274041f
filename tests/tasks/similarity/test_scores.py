"""Scores of vectors, against what scikit-learn computes and what can be counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from manyheads.core.similarity import Similarity
from manyheads.errors import DataError
from manyheads.tasks import ranking_scores, retrieval_scores, similarity_scores
from manyheads.tasks.similarity.scores import Search


def test_counted_by_hand() -> None:
    """Found at the ranks 1 and 4 of 3, at rank 2 of 1, and not at all."""
    rankings = [[7, 1, 2, 8], [3, 4, 5, 6], [0, 1, 2, 3]]
    scores = ranking_scores(rankings, [{7, 8, 9}, {4}, {9}], 10, cutoffs=(4, 1, 2))
    assert scores.cutoffs == (1, 2, 4)
    assert scores.accuracy == pytest.approx(1 / 3)
    assert scores.recall == pytest.approx([1 / 9, (1 / 3 + 1) / 3, (2 / 3 + 1) / 3])
    assert scores.reciprocal_rank == pytest.approx((1 + 1 / 2) / 3)
    assert scores.average_precision == pytest.approx(((1 + 2 / 4) / 3 + 1 / 2) / 3)
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    first = (1 + 1 / math.log2(5)) / ideal
    assert scores.ndcg == pytest.approx((first + 1 / math.log2(3)) / 3)
    assert list(scores.numbers()) == [
        *("ndcg_at_4", "mrr_at_4", "map_at_4", "accuracy_at_1"),
        *("recall_at_1", "recall_at_2", "recall_at_4"),
    ]
    assert scores.to_json()["documents"] == 10


def test_only_so_many_ranks_count() -> None:
    """MAP@k expects no more than k documents; MRR ends at k."""
    scores = ranking_scores([[1, 2, 3]], [{1, 2, 3}], 4, cutoffs=(1, 2))
    assert scores.average_precision == 1.0
    assert ranking_scores([[1, 2, 3]], [{3}], 4, cutoffs=(2,)).reciprocal_rank == 0.0


@pytest.mark.parametrize("similarity", Similarity)
def test_ndcg_of_scikit_learn(similarity: Similarity) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    queries, documents = random.normal(size=(20, 6)), random.normal(size=(40, 6))
    worth = random.integers(0, 4, (20, 40)) * (random.random((20, 40)) < 0.3)
    worth[:, 0] = 1
    relevant = [dict(enumerate(row.tolist())) for row in worth]
    scores = retrieval_scores(queries, documents, relevant, similarity=similarity)
    expected = metrics.ndcg_score(worth, similarity(queries, documents), k=10)
    assert scores.ndcg == pytest.approx(expected)
    assert scores.count == 20 and scores.documents == 40


def test_the_evaluator_of_sentence_transformers() -> None:
    evaluation = pytest.importorskip("sentence_transformers.sentence_transformer.evaluation")
    random = np.random.default_rng(1)
    queries, documents = (random.normal(size=(n, 8)).astype(np.float32) for n in (15, 60))
    relevant = [set(random.choice(60, 3, replace=False).tolist()) for _ in range(15)]
    evaluator = evaluation.InformationRetrievalEvaluator(
        {str(n): str(n) for n in range(15)},
        {str(n): str(n) for n in range(60)},
        {str(n): {str(one) for one in some} for n, some in enumerate(relevant)},
        map_at_k=[10],
    )
    ranked = (-Similarity.COSINE(queries, documents)).argsort(1)
    found = [[{"corpus_id": str(d), "score": -r} for r, d in enumerate(row)] for row in ranked]
    theirs = evaluator.compute_metrics(found)
    ours = retrieval_scores(queries, documents, relevant).numbers()
    assert ours["ndcg_at_10"] == pytest.approx(theirs["ndcg@k"][10])
    assert ours["mrr_at_10"] == pytest.approx(theirs["mrr@k"][10])
    assert ours["map_at_10"] == pytest.approx(theirs["map@k"][10])
    assert ours["recall_at_5"] == pytest.approx(theirs["recall@k"][5])
    assert ours["accuracy_at_1"] == pytest.approx(theirs["accuracy@k"][1])


def test_fewer_documents_than_ranks() -> None:
    scores = retrieval_scores(np.eye(2), np.eye(2), [{0}, {1}])
    assert set(scores.numbers().values()) == {1.0}


@pytest.mark.parametrize(
    ("rankings", "relevant", "cutoffs", "message"),
    [
        ([[0]], [{0}], (0, 1), "must be ranks from 1 on"),
        ([[0]], [{0}], (), "must be ranks from 1 on"),
        ([[0]], [], (1,), "0 sets of relevant documents for 1 queries"),
        ([], [], (1,), "for 0 queries"),
        ([[0], [0]], [{0}, {1: 0.0}], (1,), "query 1 has no relevant document"),
        ([[0]], [{0, 3}], (1,), "query 0 has the relevant document 3, which is not there"),
    ],
)
def test_what_cannot_be_scored(rankings, relevant, cutoffs, message) -> None:
    with pytest.raises(DataError, match=message):
        ranking_scores(rankings, relevant, 2, cutoffs=cutoffs)


def test_a_search_of_nothing() -> None:
    with pytest.raises(DataError, match="query 0 has the relevant document 0, which is not there"):
        retrieval_scores(np.eye(2), np.empty((0, 2)), [{0}, {1}])


def test_correlations() -> None:
    scores = similarity_scores([1, 2, 3, 4], [0.1, 0.2, 0.3, 0.9])
    assert scores.spearman == pytest.approx(1.0)
    assert scores.pearson == pytest.approx(np.corrcoef([1, 2, 3, 4], [0.1, 0.2, 0.3, 0.9])[0, 1])
    assert similarity_scores([1, 1], [0.2, 0.3]).numbers() == {}
    with pytest.raises(DataError, match="1 cosines for 2 scores"):
        similarity_scores([1, 2], [0.5])


def test_pairs_are_a_search_of_distinct_texts() -> None:
    """The first two rows ask the same; the last two have the same pair; a negative is a pair."""
    search = Search.of([[0, 0, 1, 2], [3, 4, 5, 5], [6, 3, 6, 7]])
    assert search.queries == [0, 2, 3]
    assert search.documents == [(1, 0), (1, 1), (1, 2), (2, 0), (2, 3)]
    assert search.relevant == [{0, 1}, {2}, {2}]
    assert search.asked == [0, 0, 1, 2]
