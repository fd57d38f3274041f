"""From logits to offers: the best of a row, what penalties and constraints make of it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from manyheads.errors import GenerationError
from manyheads.generate import Beam, Greedy, Sample, Settings
from manyheads.generate.constraints import Rules
from manyheads.generate.offers import View, best, offers_of

END = 1


def view(settings: Settings, written: Sequence[int] = (), prompt: Sequence[int] = ()) -> View:
    return View(Rules(settings, frozenset({END})), prompt, written, 0.5, "request 7")


@given(
    st.integers(1, 5), st.integers(1, 1500), st.integers(1, 12), st.integers(0, 99), st.booleans()
)
def test_the_best_of_a_row(rows: int, vocabulary: int, count: int, seed: int, ties: bool) -> None:
    """However wide it is, and wherever the best lie; with ties, of equal value."""
    draw = torch.Generator().manual_seed(seed)
    logits_RV = torch.randn(rows, vocabulary, generator=draw)
    if ties:
        logits_RV = logits_RV.round()
    values, tokens = best(logits_RV, count)
    expected = logits_RV.topk(min(count, vocabulary)).values
    assert torch.equal(values, expected)
    assert torch.equal(logits_RV.gather(1, tokens), values)
    assert all(len(set(row)) == len(row) for row in tokens.tolist())


def test_offers_are_log_probabilities_best_first() -> None:
    logits_RV = torch.randn(4, 300)
    views = [
        view(Settings(Greedy())),
        view(Settings(Beam(3))),
        view(Settings(Sample(top_k=1))),
        view(Settings(Beam(3))),
    ]
    log_probs = logits_RV.log_softmax(dim=-1)
    offers = offers_of(logits_RV.clone(), views)
    assert [len(some) for some in offers] == [1, 6, 1, 6]
    for row, some in enumerate(offers):
        expected, tokens = log_probs[row].topk(len(some))
        assert [offer.token for offer in some] == tokens.tolist()
        assert [offer.score for offer in some] == pytest.approx(expected.tolist(), abs=1e-5)
        assert [offer.log_prob for offer in some] == pytest.approx(expected.tolist(), abs=1e-5)


def test_repeated_tokens_rank_lower_and_are_as_probable_as_the_model_says() -> None:
    """Token 2, in the prompt, has its logit divided; token 3, written, multiplied."""
    logits_RV = torch.tensor([[0.0, -1.0, 2.0, -0.5, 0.4]])
    settings = Settings(Beam(5), repetition_penalty=2.0)
    (offers,) = offers_of(logits_RV.clone(), [view(settings, [3], [2])])
    penalised = torch.tensor([0.0, -1.0, 1.0, -1.0, 0.4]).log_softmax(0)
    plain = logits_RV[0].log_softmax(0)
    assert [offer.token for offer in offers][:3] == [2, 4, 0]
    for offer in offers:
        assert offer.score == pytest.approx(float(penalised[offer.token]))
        assert offer.log_prob == pytest.approx(float(plain[offer.token]))


def test_what_is_forbidden_is_no_offer() -> None:
    """Nor does it change how probable the others are under the model."""
    logits_RV = torch.tensor([[0.0, 3.0, 2.0, 1.0, 0.5]])
    settings = Settings(Beam(5), min_tokens=1, banned=((2,),), vocabulary=frozenset({0, 2, 3}))
    (offers,) = offers_of(logits_RV.clone(), [view(settings)])
    assert [offer.token for offer in offers] == [3, 0]
    norm = float(logits_RV.logsumexp(dim=-1))
    assert [offer.log_prob for offer in offers] == pytest.approx([1 - norm, -norm])


def test_what_is_required_is_offered_however_improbable() -> None:
    logits_RV = torch.arange(500.0)[None]
    settings = Settings(Beam(2), required=((3, 4), (490, 5)))
    (offers,) = offers_of(logits_RV.clone(), [view(settings, [490])])
    assert {3, 5} < {offer.token for offer in offers}
    assert len({offer.token for offer in offers}) == len(offers) == 4 + 2


def test_what_is_demanded_is_all_there_is() -> None:
    settings = Settings(Beam(2), max_tokens=3, required=((3, 4), (2,)))
    (offers,) = offers_of(torch.randn(1, 9), [view(settings)])
    assert {offer.token for offer in offers} == {2, 3}
    (offers,) = offers_of(torch.randn(1, 9), [view(settings, [3])])
    assert {offer.token for offer in offers} <= {2, 4}


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
@pytest.mark.parametrize("strategy", [Greedy(), Beam(2), Sample()])
def test_what_is_no_number(wrong: float, strategy: Greedy | Beam | Sample) -> None:
    logits_RV = torch.zeros(2, 9)
    logits_RV[1, 4] = wrong
    views = [view(Settings()), view(Settings(strategy), [5, 6])]
    fine, error = offers_of(logits_RV, views)
    assert fine == offers_of(torch.zeros(1, 9), views[:1])[0]
    assert isinstance(error, GenerationError)
    assert re.match(r"request 7, token 3: .*float32", str(error))


def test_a_token_that_a_model_rules_out_is_no_error() -> None:
    logits_RV = torch.tensor([[0.0, -math.inf, 1.0, -math.inf, 0.5]])
    (offers,) = offers_of(logits_RV.clone(), [view(Settings(Beam(5)))])
    assert [offer.token for offer in offers] == [2, 4, 0]


@pytest.mark.parametrize("strategy", [Greedy(), Sample()])
def test_nothing_left(strategy: Greedy | Sample) -> None:
    settings = Settings(strategy, min_tokens=2, vocabulary=frozenset({3}), banned=((3,),))
    (error,) = offers_of(torch.zeros(1, 9), [view(settings, [4])])
    assert isinstance(error, GenerationError)
    assert str(error).startswith("request 7, token 2: the constraints forbid every")
    (none,) = offers_of(torch.zeros(1, 9), [view(replace(settings, strategy=Beam(2)), [4])])
    assert none == []


def test_rows_do_not_depend_on_each_other() -> None:
    """Offers of many rows, of mixed strategies, are those of each row alone."""
    ways: list[Settings] = [
        Settings(Greedy(), repetition_penalty=1.5),
        Settings(Beam(3), no_repeat_ngram=1),
        Settings(Sample(top_p=0.8)),
        Settings(Beam(2), required=((8, 9),)),
        Settings(Sample(typical_p=0.8), banned=((2,), (3,))),
        Settings(Greedy(), vocabulary=frozenset(range(50, 90))),
    ]
    views = [view(settings, [5, 6, 8], [7]) for settings in ways * 3]
    logits_RV: Tensor = torch.randn(len(views), 400)
    together = offers_of(logits_RV.clone(), views)
    for row, one in enumerate(views):
        (alone,) = offers_of(logits_RV[row : row + 1].clone(), [one])
        assert [offer.token for offer in alone] == [offer.token for offer in together[row]]
        assert [offer.score for offer in alone] == pytest.approx(
            [offer.score for offer in together[row]], abs=1e-5
        )
