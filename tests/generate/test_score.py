"""Scores of given outputs are those of the search that found them; alignments are shares."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tests.generate.small import (
    CONFIGS,
    DECODERS,
    ENCODER_DECODERS,
    START,
    VOCABULARY,
    request,
    writer,
)
from tests.generate.test_engine import WAYS

from manyheads.core.layout import Layout
from manyheads.errors import GenerationError
from manyheads.generate import (
    Beam,
    Given,
    Request,
    Settings,
    Writer,
    align,
    coverage,
    generate,
    score,
)


def by_hand(ours: Writer, one: Given) -> list[float]:
    """Log-probabilities of one output alone, from all its logits."""
    transformer = ours.transformer
    memory = None
    with torch.inference_mode():
        if one.source is not None:
            ids_S, sources = Layout.flatten([one.source])
            memory = transformer.remember(transformer.encode(ids_S, sources), sources)
        ids_T, layout = Layout.flatten([[*one.prompt, *one.output]])
        log_probs_TV = transformer.logits(transformer.decode(ids_T, layout, memory)).log_softmax(-1)
    first = len(one.prompt)
    return [float(log_probs_TV[first + i - 1, token]) for i, token in enumerate(one.output)]


@pytest.mark.parametrize("settings", WAYS, ids=range(len(WAYS)))
@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_found_is_scored_alike(name: str, settings: Settings) -> None:
    ours = writer(name)
    requests = [request(ours, length, settings) for length in (4, 1)]
    for one, output in zip(requests, generate(ours, requests), strict=True):
        given = [Given(one.prompt, found.tokens, one.source) for found in output.hypotheses]
        for found, log_probs in zip(output.hypotheses, score(ours, given), strict=True):
            assert found.log_probs == pytest.approx(log_probs, abs=1e-4)
            assert len(log_probs) == len(found.tokens)
            strategy = settings.strategy
            if isinstance(strategy, Beam) and strategy.diversity == 0:
                expected = sum(log_probs) / len(log_probs) ** strategy.length_penalty
                assert found.score == pytest.approx(expected, abs=1e-3)
            elif not isinstance(strategy, Beam):
                assert found.score == pytest.approx(sum(log_probs) / len(log_probs), abs=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_scores_are_those_of_all_logits(name: str) -> None:
    ours = writer(name)
    draw = torch.Generator().manual_seed(3)

    def words(length: int) -> list[int]:
        return torch.randint(0, VOCABULARY, (length,), generator=draw).tolist()

    given = [
        Given(words(prompt), words(output), words(source) if ours.reads else None)
        for prompt, output, source in ((1, 3, 5), (4, 1, 1), (2, 30, 9), (7, 2, 3))
    ]
    for one, log_probs in zip(given, score(ours, given), strict=True):
        assert list(log_probs) == pytest.approx(by_hand(ours, one), abs=1e-4)


def test_many_outputs_at_once() -> None:
    """More tokens than one pass reads, and more rows than are projected at once."""
    ours = writer("llama")
    given = [Given([3 + i % 9], [2 + (i + j) % 12 for j in range(40)]) for i in range(250)]
    scored = score(ours, given)
    assert len(scored) == 250 and all(len(log_probs) == 40 for log_probs in scored)
    for i in (0, 99, 249):
        assert list(scored[i]) == pytest.approx(by_hand(ours, given[i]), abs=1e-4)
    assert score(ours, []) == []


def test_what_cannot_be_scored() -> None:
    reads, writes = writer("bart"), writer("gpt2")
    for ours, given, message in (
        (writes, Given([3], []), "number 1 has an empty output"),
        (writes, Given([], [3]), "number 1 has an empty prompt"),
        (writes, Given([3], [3], [3]), "number 1: this model reads no source"),
        (reads, Given([START], [3]), "number 1: this model needs a source"),
        (reads, Given([START], [3], []), "number 1 has an empty source"),
        (writes, Given([3], [4, VOCABULARY]), f"number 1: token {VOCABULARY} of its output"),
        (writes, Given([3], [VOCABULARY, 4]), f"number 1: token {VOCABULARY} of its output"),
        (writes, Given([-1], [4]), "number 1: token -1 of its prompt"),
        (reads, Given([START], [4], [VOCABULARY]), f"number 1: token {VOCABULARY} of its source"),
        (writes, Given([3] * 2, [4] * 64), "number 1: .*64 positions"),
        (reads, Given([START], [4], [4] * 65), "number 1: .*64 positions"),
    ):
        fine = Given([START], [3], [3] if ours.reads else None)
        with pytest.raises(GenerationError, match=message):
            score(ours, [fine, given])
    assert len(score(writes, [Given([3], [4] * 64)])[0]) == 64
    with pytest.raises(GenerationError, match="reads no source that outputs align with"):
        align(writes, [Given([3], [4])])


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_alignments_are_shares(name: str) -> None:
    ours = writer(name)
    given = [
        Given([START], [3, 4, 5, 6], [7, 8, 9]),
        Given([START, 5], [3], [7] * 8),
        Given([START], [9, 9, 4], [2]),
    ]
    together = align(ours, given)
    assert [tuple(one.shape) for one in together] == [(4, 3), (1, 8), (3, 1)]
    for one, alignment in zip(given, together, strict=True):
        torch.testing.assert_close(alignment.sum(dim=1), torch.ones(len(one.output)))
        assert float(alignment.min()) >= 0
        torch.testing.assert_close(alignment, align(ours, [one])[0])
    # What a token reads depends on those before it alone, and not on itself.
    shorter = align(ours, [replace(given[0], output=[3, 4, 9])])[0]
    torch.testing.assert_close(shorter, together[0][:3])


def test_coverage_by_hand() -> None:
    alignment = torch.tensor([[0.5, 0.3, 0.2], [0.9, 0.1, 0.0]])
    assert coverage(alignment) == pytest.approx(math.log(0.4) + math.log(0.2))
    assert coverage(torch.ones(1, 1)) == 0
    assert coverage(torch.tensor([[1.0, 0.0]])) == pytest.approx(math.log(1e-9))


@pytest.mark.parametrize("name", ENCODER_DECODERS)
@pytest.mark.parametrize("weight", [0.3, 3.0])
def test_coverage_ranks(name: str, weight: float) -> None:
    ours = writer(name)
    plain = Settings(Beam(5), 5, max_tokens=8, min_tokens=1)
    covering = replace(plain, strategy=Beam(5, coverage_penalty=weight))
    asked = request(ours, 6, plain)
    found = generate(ours, [asked])[0].hypotheses
    expected = {}
    for one in found:
        given = Given(asked.prompt, one.tokens, asked.source)
        covered = align(ours, [given])[0].sum(dim=0).clamp(max=1).log().sum()
        expected[one.tokens] = one.score + weight * float(covered)
    ranked = generate(ours, [replace(asked, settings=covering)])[0].hypotheses
    assert [one.tokens for one in ranked] == sorted(expected, key=lambda one: -expected[one])
    assert [one.score for one in ranked] == pytest.approx(sorted(expected.values())[::-1], abs=1e-3)


def test_coverage_changes_what_is_best() -> None:
    """Of 30 sources at least one is translated otherwise."""
    ours = writer("t5")
    plain = Settings(Beam(4), max_tokens=8)
    covering = Settings(Beam(4, coverage_penalty=2.0), max_tokens=8)

    def best(settings: Settings) -> list[tuple[int, ...]]:
        asked: list[Request] = [request(ours, 5, settings, seed) for seed in range(30)]
        return [output.best.tokens for output in generate(ours, asked)]

    assert best(plain) != best(covering)


def test_every_family_that_writes_is_here() -> None:
    assert set(CONFIGS) == {*DECODERS, *ENCODER_DECODERS}
