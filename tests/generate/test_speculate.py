"""A draft changes how fast a model writes, never what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.families.harness import FIRST_WORD, VOCABULARY, publish
from tests.families.test_decoders import CASES, Case

from manyheads.errors import GenerationError
from manyheads.generate import (
    Beam,
    Draft,
    Engine,
    Greedy,
    Request,
    Sample,
    Settings,
    Strategy,
    Writer,
    generate,
)
from manyheads.hub import load_model

END = 3
LENGTH = 20


def writer_of(name: str, folder: Path, seed: int = 0, **settings: object) -> Writer:
    torch.manual_seed(seed)
    case: Case = CASES[name]
    model = replace(case, settings=case.settings | settings).make()
    return Writer(load_model(publish(model, folder)).transformer, frozenset({END}))


@pytest.fixture(params=["llama", "gpt2", "mistral", "marian", "t5"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Writer, Writer]:
    """A model, and one like it whose weights are a little off: it guesses right now and then."""
    model = writer_of(request.param, tmp_path / "model")
    draft = writer_of(request.param, tmp_path / "draft")
    noise = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in draft.transformer.parameters():
            deviation = 0.1 * float(weight.std(correction=0))
            weight += deviation * torch.randn(weight.shape, generator=noise)
    return model, draft


def requests_of(model: Writer, strategy: Strategy, **settings: object) -> list[Request]:
    torch.manual_seed(3)
    texts = [torch.randint(FIRST_WORD, VOCABULARY, (n,)).tolist() for n in (4, 1, 7, 4)]
    shared = Settings(strategy, max_tokens=LENGTH, **settings)
    return [
        Request([2], text, shared) if model.reads else Request(text, None, shared) for text in texts
    ]


@pytest.mark.parametrize("strategy", [Greedy(), Sample(0.8, top_k=20)], ids=["greedy", "sample"])
@pytest.mark.parametrize("tokens", [1, 3, 8])
def test_what_is_written_stays(
    pair: tuple[Writer, Writer], strategy: Strategy, tokens: int
) -> None:
    model, draft = pair
    requests = requests_of(model, strategy, no_repeat_ngram=3, repetition_penalty=1.2)
    plain = generate(model, requests)
    fast = generate(model, requests, draft=Draft(draft, tokens), max_rows=3)
    for one, other in zip(plain, fast, strict=True):
        assert one.best.tokens == other.best.tokens and one.best.finish == other.best.finish
        assert one.best.log_probs == pytest.approx(other.best.log_probs, abs=1e-4)


def test_it_takes_fewer_steps(pair: tuple[Writer, Writer]) -> None:
    model, _ = pair
    engine = Engine(model, draft=Draft(model, 4))  # its own draft is always right
    ticket = engine.add(replace(requests_of(model, Greedy(), min_tokens=LENGTH)[0]))
    steps, told = 0, []
    while engine.busy:
        steps += 1
        for news in engine.step():
            assert news.ticket == ticket
            told += news.tokens
    assert len(told) == LENGTH and steps == 1 + -(-(LENGTH - 1) // 5)


def test_beams_and_single_paths_share_the_engine(pair: tuple[Writer, Writer]) -> None:
    model, draft = pair
    kinds = (Greedy(), Beam(3), Sample(), Greedy())
    requests = [requests_of(model, kind, n_best=1)[i] for i, kind in enumerate(kinds)]
    requests[2] = replace(requests[2], settings=replace(requests[2].settings, n_best=3))
    plain = generate(model, requests)
    fast = generate(model, requests, draft=Draft(draft))
    assert [[h.tokens for h in one.hypotheses] for one in plain] == [
        [h.tokens for h in one.hypotheses] for one in fast
    ]


def test_a_draft_must_share_the_vocabulary(tmp_path: Path) -> None:
    model = writer_of("llama", tmp_path / "model")
    other = writer_of("marian", tmp_path / "other")
    with pytest.raises(GenerationError, match="same family"):
        Engine(model, draft=Draft(other))
    with pytest.raises(GenerationError, match="tokens=0 is below 1"):
        Draft(model, 0)
