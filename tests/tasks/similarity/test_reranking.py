"""Relevance: what is learnt, how orders are scored by queries, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.data import Split
from manyheads.errors import DataError
from manyheads.tasks import Reranking
from manyheads.tasks.similarity.reranking import Asked

ROWS = {
    "text": ["q", "q", "q", "r", "r", "s"],
    "pair": ["d1", "d2", "d3", "d1", "d4", "d5"],
    "label": [0, 2, 1, 1, 0, 0],
}


def test_documents_are_ordered_query_by_query() -> None:
    scores = Asked.of(ROWS).scores([0.9, 0.5, 0.1, 0.2, 0.8, 0.4])
    assert scores.count == 2  # nothing answers s
    found = scores.numbers()
    assert found["mrr_at_10"] == pytest.approx((1 / 2 + 1 / 2) / 2)
    best = 2 + 1 / math.log2(3)
    of_q = (2 / math.log2(3) + 1 / math.log2(4)) / best
    assert found["ndcg_at_10"] == pytest.approx((of_q + 1 / math.log2(3)) / 2)
    assert Asked.of(ROWS).scores([0, 2, 1, 1, 0, 0]).numbers()["ndcg_at_10"] == pytest.approx(1.0)


def test_rows_of_one_that_answers_and_one_that_does_not() -> None:
    columns = {"text": ["q", "q"], "pair": ["d1", "d1"], "negative": ["d2", "d3"]}
    asked = Asked.of(columns)
    assert (asked.rows, asked.grades) == ([0, 1, 0, 1], [1.0, 1.0, 0.0, 0.0])
    scores = asked.scores([0.5, 0.5, 0.9, 0.1])
    assert scores.count == 1
    assert scores.reciprocal_rank == pytest.approx(1 / 2)  # d1 counts once


def test_the_loss_is_the_binary_cross_entropy_of_grades() -> None:
    task = Reranking().fit_to(ROWS, "row {}".format)
    assert task.highest == 2
    outputs = torch.tensor([[0.0], [1.0], [-2.0]])
    losses, weights = task.losses(outputs, torch.tensor([0.0, 1.0, 2.0]))
    shares = outputs[:, 0].sigmoid()
    wanted = torch.tensor([0.0, 0.5, 1.0])
    expected = -(wanted * shares.log() + (1 - wanted) * (1 - shares).log())
    torch.testing.assert_close(losses, expected)
    assert weights.tolist() == [1.0, 1.0, 1.0]
    assert Reranking.from_json(task.to_json()) == task


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"text": ["q"], "label": [1]}, "without a document"),
        ({"text": ["q"], "pair": ["d"]}, "what is relevant"),
        ({"text": ["q"], "pair": ["d"], "label": [1], "negative": ["e"]}, "not both"),
        ({"text": ["q", "r"], "pair": ["d", "d"], "label": [1, 1]}, "have the relevance 1"),
        ({"text": ["q", "r"], "pair": ["d", "d"], "label": [1, -1]}, "row 1: the relevance -1"),
        ({"text": ["q", "r"], "pair": ["d", "d"], "label": ["yes", "no"]}, "'yes'"),
    ],
)
def test_what_cannot_be_learnt(columns: dict[str, list[object]], words: str) -> None:
    with pytest.raises(DataError, match=words):
        Reranking().fit_to(columns, "row {}".format)


def test_no_query_with_an_answer_cannot_be_scored() -> None:
    with pytest.raises(DataError, match="none of 1 queries"):
        Asked.of({"text": ["q"], "pair": ["d"], "label": [0]}).scores([0.5])


def test_the_documents_of_a_query_are_held_out_together() -> None:
    columns = {
        "text": [f"query {n // 4}" for n in range(80)],
        "pair": [f"document {n}" for n in range(80)],
        "label": [int(n % 4 == 0) for n in range(80)],
    }
    data = mh.read(columns, pair="pair", valid=0.2, together="text")
    assert data.valid is not None
    assert not set(data.train.columns["text"]) & set(data.valid.columns["text"])
    with pytest.raises(DataError, match="together='query'"):
        mh.read(columns, pair="pair", together="query")


def relevant_rows(negative: bool) -> mh.Dataset:
    """Queries of one mood, beside documents of the same or the other one."""
    moods = tiny.mood_rows(48)
    good = [text for text, mood in moods if mood == "good"]
    bad = [text for text, mood in moods if mood == "bad"]
    queries = ["lovely" if n % 2 else "awful" for n in range(24)]
    right = [(good if n % 2 else bad)[n] for n in range(24)]
    wrong = [(bad if n % 2 else good)[n] for n in range(24)]
    if negative:
        columns = {"text": queries, "pair": right, "negative": wrong}
    else:
        labels = [1] * 24 + [0] * 24
        columns = {"text": queries * 2, "pair": right + wrong, "label": labels}
    names = {role: role for role in columns}
    return mh.Dataset(
        Split("train", "moods", range(len(columns["text"])), columns), None, None, names
    )


@pytest.mark.parametrize("negative", [False, True], ids=["graded", "negatives"])
def test_a_model_learns_to_order_documents(negative: bool) -> None:
    data = relevant_rows(negative)
    recipe = mh.Recipe(batch_size=16, learning_rate=1e-2, epochs=20, max_tokens=48)
    learner = mh.Learner(tiny.SCRATCH, Reranking(), data, recipe, quiet=True)
    learner.fit()
    evaluation = learner.evaluate("train")
    assert evaluation.scores.numbers()["ndcg_at_10"] > 0.9
    name, scores = learner.task.baseline(data.train.columns, data.train.columns, learner.cleaning)
    assert name == "TF-IDF" and set(scores.numbers()) == set(evaluation.scores.numbers())
    hardest = learner.top_losses(2, "train")
    assert hardest[0].loss >= hardest[1].loss and str(hardest[0].label) in ("0", "1")
    reranker = learner.predictor()
    assert isinstance(reranker, mh.Reranker)
    columns = data.train.columns  # of the first query, what does not answer it and what does
    irrelevant = columns["negative"][0] if negative else columns["pair"][24]
    ranked = reranker.rank("awful", [irrelevant, columns["pair"][0]])
    assert [one.index for one in ranked] == [1, 0]
