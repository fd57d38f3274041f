"""Samples are drawn as often as their probabilities say, from the tokens that the papers leave."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from tests.generate.small import END, VOCABULARY, WORDS, request, writer
from torch import Tensor
from transformers.generation import (
    LogitsProcessorList,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from manyheads.generate import Sample, Settings, generate
from manyheads.generate.constraints import Rules
from manyheads.generate.offers import View, offers_of
from manyheads.generate.sampling import Uniforms, draw, probabilities_of

COMBINATIONS = [
    Sample(),
    Sample(temperature=0.5),
    Sample(temperature=2.0),
    Sample(top_k=1),
    Sample(top_k=4),
    Sample(top_k=99),
    Sample(top_p=0.1),
    Sample(top_p=0.8),
    Sample(min_p=0.1),
    Sample(typical_p=0.2),
    Sample(typical_p=0.9),
    Sample(temperature=0.7, top_k=5, top_p=0.9),
    Sample(temperature=1.5, top_p=0.9, min_p=0.05),
    Sample(top_k=6, typical_p=0.7),
    Sample(0.8, top_k=8, top_p=0.95, min_p=0.02, typical_p=0.9),
]


def ours(logits_RV: Tensor, sample: Sample) -> Tensor:
    """The probability of each token, (R, V)."""
    probabilities, tokens = probabilities_of(logits_RV.clone(), sample)
    return torch.zeros_like(logits_RV).scatter(1, tokens, probabilities)


def theirs(logits_RV: Tensor, sample: Sample) -> Tensor:
    """The same by `transformers`, which applies its warpers in this order."""
    warpers = LogitsProcessorList([TemperatureLogitsWarper(float(sample.temperature))])
    if sample.top_k is not None:
        warpers.append(TopKLogitsWarper(sample.top_k))
    if sample.top_p < 1:
        warpers.append(TopPLogitsWarper(sample.top_p))
    if sample.min_p > 0:
        warpers.append(MinPLogitsWarper(sample.min_p))
    if sample.typical_p < 1:
        warpers.append(TypicalLogitsWarper(sample.typical_p))
    return warpers(torch.zeros(len(logits_RV), 1), logits_RV.clone()).softmax(dim=-1)


@pytest.mark.parametrize("sample", COMBINATIONS, ids=str)
@pytest.mark.parametrize("spread", [0.3, 3.0])
def test_equal_supports_and_probabilities(sample: Sample, spread: float) -> None:
    logits_RV = spread * torch.randn(200, 30)
    logits_RV[100:, :4] = -torch.inf  # constraints come first
    expected, found = theirs(logits_RV, sample), ours(logits_RV, sample)
    assert torch.equal(found > 0, expected > 0)
    torch.testing.assert_close(found, expected)


fractions = st.floats(0.01, 1.0)


@given(
    st.integers(0, 10_000),
    st.floats(0.1, 10.0),
    st.none() | st.integers(1, 40),
    fractions,
    st.floats(0.0, 0.9),
    fractions,
)
def test_any_combination(
    seed: int, temperature: float, top_k: int | None, top_p: float, min_p: float, typical_p: float
) -> None:
    sample = Sample(temperature, top_k, top_p, min_p, typical_p)
    logits_RV = 2 * torch.randn(3, 40, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(ours(logits_RV, sample), theirs(logits_RV, sample))


@pytest.mark.parametrize("sample", COMBINATIONS, ids=str)
def test_frequencies(sample: Sample) -> None:
    """Chi-square against the exact probabilities; no token that may not be drawn ever is."""
    logits_V = torch.randn(20) * 1.5
    count = 20_000
    uniforms = Uniforms(7, 0)
    uniform_R = torch.tensor([uniforms[i] for i in range(count)])
    drawn = draw(logits_V.expand(count, -1), sample, uniform_R)
    observed = torch.bincount(drawn, minlength=20).double()
    expected = ours(logits_V[None], sample)[0].double()
    possible = expected > 0
    assert observed[~possible].sum() == 0
    expected = expected[possible] / expected[possible].sum() * count
    if len(expected) > 1:
        assert chisquare(observed[possible], expected).pvalue > 1e-3


def test_a_token_is_drawn_where_its_number_falls() -> None:
    probabilities = torch.tensor([[0.5, 0.0, 0.3, 0.2]])
    uniforms = torch.tensor([0.0, 0.49, 0.51, 0.79, 0.81, 1.0 - 2**-24])
    drawn = draw(probabilities.log().expand(6, -1), Sample(), uniforms)
    assert drawn.tolist() == [0, 0, 2, 2, 3, 3]
    # Nothing that has no probability, at either end of the range.
    ends = torch.tensor([[-torch.inf, 0.0, 0.0, -torch.inf]]).expand(2, -1)
    assert draw(ends, Sample(), torch.tensor([0.0, 1.0 - 2**-53])).tolist() == [1, 2]


@pytest.mark.parametrize("temperature", [1e-3, 1e-6, 1e-30, 1e-45, 5e-324])
def test_hardly_any_temperature_is_greedy(temperature: float) -> None:
    logits_RV = 30 * torch.randn(50, 40)
    drawn = draw(logits_RV.clone(), Sample(temperature), torch.rand(50))
    assert torch.equal(drawn, logits_RV.argmax(dim=-1))


def test_much_temperature_is_chance() -> None:
    found = ours(10 * torch.randn(5, 8), Sample(temperature=1e30))
    torch.testing.assert_close(found, torch.full((5, 8), 1 / 8))


def test_uniforms() -> None:
    numbers = Uniforms(3, 0)
    first = [numbers[i] for i in (2, 0, 1)]
    again = Uniforms(3, 0)
    assert [again[i] for i in (2, 0, 1)] == first
    assert len({Uniforms(seed, sample)[0] for seed in range(9) for sample in range(9)}) == 81
    flat = [Uniforms(seed, 1)[5] for seed in range(2000)]
    bins = Counter(int(10 * number) for number in flat)
    assert chisquare([bins[i] for i in range(10)]).pvalue > 1e-3


def test_samples_of_a_request_are_independent() -> None:
    """The first tokens of 2000 samples, and of neighbouring ones, are as frequent as by chance."""
    probability = torch.tensor([0.0, 0.0, 0.5, 0.3, 0.2])
    settings = Settings(Sample(), 2000, max_tokens=1)
    views = [
        View(Rules(settings, frozenset({END})), (), (), Uniforms(0, number)[0])
        for number in range(2000)
    ]
    offers = offers_of(probability.log().repeat(2000, 1), views)
    found = [some[0].token for some in offers]
    singles = Counter(found)
    assert chisquare([singles[i] for i in (2, 3, 4)], [1000, 600, 400]).pvalue > 1e-3
    pairs = Counter(zip(found[::2], found[1::2], strict=True))
    every = list(itertools.product((2, 3, 4), repeat=2))
    chance = [float(1000 * probability[a] * probability[b]) for a, b in every]
    counted = [pairs[pair] for pair in every]
    assert chisquare(counted, chance).pvalue > 1e-3


def test_a_model_is_sampled_as_often_as_it_says() -> None:
    """The first token of many samples, through the engine, under a constraint."""
    model = writer("gpt2")
    allowed = frozenset(WORDS[:6])
    settings = Settings(Sample(temperature=1.4), 3000, max_tokens=1, vocabulary=allowed)
    output = generate(model, [request(model, 4, settings)])[0]
    counts = Counter(one.tokens[0] for one in output.hypotheses)
    logits = torch.full((VOCABULARY,), -torch.inf)
    for one in output.hypotheses:
        logits[one.tokens[0]] = one.log_probs[0] / 1.4
    expected = logits.double().softmax(0)[sorted(counts)] * 3000
    assert set(counts) <= allowed | {END}
    assert chisquare([counts[i] for i in sorted(counts)], expected).pvalue > 1e-3
