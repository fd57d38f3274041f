"""Losses are those of their papers, written down naively, and those of sentence-transformers."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from manyheads.errors import RecipeError
from manyheads.tasks import Angle, CoSent, InBatchNegatives, SquaredCosine
from manyheads.tasks.similarity.objectives import related

SCORES = torch.tensor([0.0, 5.0, 2.5, 2.5, 1.0, 4.0, 5.0])
ALL_DIFFERENT = torch.arange(21).view(3, 7)


def vectors(sides: int = 2, rows: int = 7, width: int = 10) -> Tensor:
    return torch.randn(sides, rows, width)


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


def cross_entropy(scores: list[float], own: int) -> float:
    return math.log(math.fsum(map(math.exp, scores))) - scores[own]


def test_a_text_finds_its_pair_among_those_of_all_others() -> None:
    texts, pairs, negatives = x = vectors(3)
    loss = InBatchNegatives(scale=7.0, symmetric=False)(x, ALL_DIFFERENT)
    others = [*pairs, *negatives]
    found = [
        cross_entropy([7.0 * cosine(text, other) for other in others], row)
        for row, text in enumerate(texts)
    ]
    assert float(loss) == pytest.approx(sum(found) / 7, rel=1e-5)
    back = [
        cross_entropy([7.0 * cosine(pair, text) for text in texts], row)
        for row, pair in enumerate(pairs)
    ]
    both = InBatchNegatives(scale=7.0)(x, ALL_DIFFERENT)
    assert float(both) == pytest.approx((sum(found) + sum(back)) / 14, rel=1e-5)


@pytest.mark.parametrize("sides", [2, 3])
def test_what_belongs_together_is_no_negative(sides: int) -> None:
    """Rows 0 and 1 ask the same, 2 and 3 have the same answer, 4's answer is what 5 asks."""
    numbers = torch.tensor([[0, 0, 1, 2, 3, 4], [5, 6, 7, 7, 4, 8], [9, 10, 8, 11, 7, 5]])[:sides]
    hidden = related(numbers, torch.arange(6))
    expected = {(0, 1), (1, 0), (2, 3), (3, 2), (5, 4)}
    if sides == 3:  # a negative that is the row's own pair somewhere: 7 of rows 2 and 3, 5 and 8
        expected |= {(2, 6 + 4), (3, 6 + 4), (0, 6 + 5), (5, 6 + 2)}
    assert {(i, j) for i, j in hidden.nonzero().tolist()} == expected

    x = vectors(sides, 6)
    texts, *others = x
    candidates = torch.cat(others)
    loss = InBatchNegatives(symmetric=False)(x, numbers)
    naive = 0.0
    for row, text in enumerate(texts):
        kept = [j for j in range(len(candidates)) if (row, j) not in expected]
        cosines = [20.0 * cosine(text, candidates[j]) for j in kept]
        naive += cross_entropy(cosines, kept.index(row)) / 6
    assert float(loss) == pytest.approx(naive, rel=1e-5)


def test_the_way_back_hides_the_same() -> None:
    numbers = torch.tensor([[0, 0, 1, 2, 3, 4], [5, 6, 7, 7, 4, 8]])
    forth, back = (related(one, torch.arange(6)) for one in (numbers, numbers[[1, 0]]))
    assert torch.equal(back, forth.T)


def test_rows_that_are_all_the_same_teach_nothing() -> None:
    x = vectors(2, 4).requires_grad_()
    loss = InBatchNegatives()(x, torch.zeros(2, 4, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0.0 and x.grad is not None and not x.grad.any()


def test_many_rows_are_compared_block_by_block() -> None:
    x, numbers = vectors(2, 1200, 4), torch.arange(2400).view(2, 1200)
    together = InBatchNegatives(symmetric=False)(x, numbers)
    texts, pairs = torch.nn.functional.normalize(x, dim=-1)
    whole = torch.nn.functional.cross_entropy(20.0 * texts @ pairs.T, torch.arange(1200))
    torch.testing.assert_close(together, whole)


def test_the_order_of_scores_is_learnt() -> None:
    texts, pairs = x = vectors()
    near = [20.0 * cosine(text, pair) for text, pair in zip(texts, pairs, strict=True)]
    terms = [
        math.exp(near[i] - near[j]) for i in range(7) for j in range(7) if SCORES[i] < SCORES[j]
    ]
    assert len(terms) == 19  # two pairs of equal scores are not compared
    loss = CoSent()(x, SCORES)
    assert float(loss) == pytest.approx(math.log1p(math.fsum(terms)), rel=1e-5)
    torch.testing.assert_close(CoSent()(x, 3.0 * SCORES - 40.0), loss)
    assert float(CoSent()(x, torch.ones(7))) == 0.0
    assert float(CoSent()(x[:, :1], SCORES[:1])) == 0.0


def test_a_cosine_is_its_score() -> None:
    texts, pairs = x = vectors()
    cosines = torch.tensor([cosine(a, b) for a, b in zip(texts, pairs, strict=True)])
    loss = SquaredCosine(high=5.0)(x, SCORES)
    torch.testing.assert_close(loss, (cosines - SCORES / 5.0).square().mean())


@pytest.mark.parametrize("objective", [CoSent(), Angle(), SquaredCosine(high=5.0)])
def test_the_worst_rows_are_far_from_their_place(objective: Any) -> None:
    away = torch.tensor([9.0, 8.0, 1.0, 1.0, 2.0, 0.3, 0.0])  # row 1 has the highest score
    own, other = torch.eye(14).split(7)
    x = torch.stack((own, own + away[:, None] * other.roll(1, 0)))
    assert objective.losses(x, SCORES).argmax() == 1


@pytest.mark.parametrize("sides", [2, 3])
def test_in_batch_negatives_of_sentence_transformers(sides: int) -> None:
    losses = pytest.importorskip("sentence_transformers.sentence_transformer.losses")
    x = vectors(sides).requires_grad_()
    numbers = ALL_DIFFERENT[:sides]
    one_way = losses.MultipleNegativesRankingLoss(None)
    equal(InBatchNegatives(symmetric=False)(x, numbers), one_way, x)
    both_ways = losses.MultipleNegativesRankingLoss(
        None,
        scale=10.0,
        directions=("query_to_doc", "doc_to_query"),
        partition_mode="per_direction",
    )
    equal(InBatchNegatives(scale=10.0)(x, numbers), both_ways, x)


@pytest.mark.parametrize(("ours", "theirs"), [(CoSent(), "CoSENTLoss"), (Angle(), "AnglELoss")])
@pytest.mark.parametrize("width", [10, 9])
def test_rankings_of_sentence_transformers(ours: Any, theirs: str, width: int) -> None:
    losses = pytest.importorskip("sentence_transformers.sentence_transformer.losses")
    x = vectors(width=width).requires_grad_()
    equal(ours(x, SCORES), getattr(losses, theirs)(None), x, SCORES)


def equal(loss: Tensor, theirs: Any, x: Tensor, labels: Tensor | None = None) -> None:
    """Loss and gradient are the same."""
    expected = theirs.compute_loss_from_embeddings(list(x), labels)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)
    mine, other = (torch.autograd.grad(one, x)[0] for one in (loss, expected))
    torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("objective", [InBatchNegatives, CoSent, Angle])
def test_a_scale_is_above_zero(objective: Any) -> None:
    with pytest.raises(RecipeError, match=r"scale=0\.0 must be above 0"):
        objective(scale=0.0)


def test_a_range_has_two_ends() -> None:
    with pytest.raises(RecipeError, match=r"low=5\.0 must lie below high=1\.0"):
        SquaredCosine(low=5.0)
