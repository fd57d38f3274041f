"""Greedy search and beams find what `transformers` finds, for every family that writes.

What does not depend on the family is asked of one of each kind: learned positions, a window, and an
encoder before them with positions of its own or relative ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest
import torch
import transformers
from tests.families.harness import FIRST_WORD, VOCABULARY, publish
from tests.families.test_decoders import CASES, ENCODER_DECODERS, Case

from manyheads.generate import Beam, Output, Request, Settings, Stopping, Writer, generate
from manyheads.hub import load_model

END = 3
LENGTH = 16
KINDS = ("gpt2", "mistral", "bart", "t5")


@dataclass
class Both:
    """An original, and the same model here, with inputs of several lengths."""

    theirs: transformers.PreTrainedModel
    ours: Writer
    reads: bool

    def __post_init__(self) -> None:
        torch.manual_seed(11)
        self.inputs = [
            torch.randint(FIRST_WORD, VOCABULARY, (length,)).tolist() for length in (5, 1, 9, 3)
        ]

    @property
    def start(self) -> int:
        return self.theirs.config.decoder_start_token_id

    def found(self, settings: Settings) -> list[Output]:
        requests = [
            Request([self.start], one, settings) if self.reads else Request(one, None, settings)
            for one in self.inputs
        ]
        return generate(self.ours, requests)

    def expected(self, **settings: object) -> list[list[list[int]]]:
        """The original's outputs for each input alone, without its prompt."""
        result = []
        for one in self.inputs:
            out = self.theirs.generate(
                torch.tensor([one]),
                eos_token_id=END,
                pad_token_id=0,
                forced_eos_token_id=None,
                do_sample=False,
                max_new_tokens=LENGTH,
                **settings,
            )
            first = 1 if self.reads else len(one)
            result.append([_unpadded(row[first:].tolist()) for row in out])
        return result


def _unpadded(tokens: Sequence[int]) -> list[int]:
    """Up to the end, where there is one."""
    tokens = list(tokens)
    return tokens[: tokens.index(END) + 1] if END in tokens else tokens


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Both]:
    """Each model, made when it is first asked for."""
    return cache(lambda name: make(name, tmp_path_factory.mktemp(name)))


@pytest.fixture(params=CASES)
def every(request: pytest.FixtureRequest, models: Callable[[str], Both]) -> Both:
    return models(request.param)


@pytest.fixture(params=KINDS)
def both(request: pytest.FixtureRequest, models: Callable[[str], Both]) -> Both:
    return models(request.param)


def make(name: str, folder: Path) -> Both:
    torch.manual_seed(0)
    case: Case = CASES[name]
    if "num_decoder_layers" in case.settings:  # the original's cache counts the encoder's layers
        case = replace(case, settings=case.settings | {"num_decoder_layers": 2})
    model = case.make().eval()
    model.generation_config.forced_eos_token_id = None
    ours = load_model(publish(model, folder))
    writer = Writer(ours.transformer, frozenset({END}))
    return Both(model, writer, name in ENCODER_DECODERS)


def _best(outputs: Sequence[Output]) -> list[list[list[int]]]:
    return [[list(one.tokens) for one in output.hypotheses] for output in outputs]


def test_greedy(every: Both) -> None:
    assert _best(every.found(Settings(max_tokens=LENGTH))) == every.expected()


def test_beams_of_every_family(every: Both) -> None:
    settings = Settings(Beam(4), n_best=2, max_tokens=LENGTH)
    expected = every.expected(num_beams=4, num_return_sequences=2, early_stopping=False)
    assert _best(every.found(settings)) == expected


@pytest.mark.parametrize(("beams", "penalty"), [(2, 0.0), (5, 0.0), (5, 1.0), (3, 2.0)])
def test_beams(both: Both, beams: int, penalty: float) -> None:
    settings = Settings(Beam(beams, penalty), n_best=beams, max_tokens=LENGTH)
    expected = both.expected(
        num_beams=beams, length_penalty=penalty, num_return_sequences=beams, early_stopping=False
    )
    assert _best(both.found(settings)) == expected


@pytest.mark.parametrize(
    ("stopping", "theirs"), [(Stopping.ENOUGH, True), (Stopping.EXHAUSTED, "never")]
)
def test_when_beams_stop(both: Both, stopping: Stopping, theirs: object) -> None:
    settings = Settings(Beam(3, stopping=stopping), n_best=3, max_tokens=LENGTH)
    expected = both.expected(num_beams=3, num_return_sequences=3, early_stopping=theirs)
    assert _best(both.found(settings)) == expected


def test_no_repeated_ngrams(both: Both) -> None:
    settings = Settings(Beam(3), max_tokens=LENGTH, no_repeat_ngram=2)
    expected = both.expected(num_beams=3, no_repeat_ngram_size=2)
    assert _best(both.found(settings)) == expected


def test_repetition_penalty(both: Both) -> None:
    settings = Settings(max_tokens=LENGTH, repetition_penalty=1.7)
    assert _best(both.found(settings)) == both.expected(repetition_penalty=1.7)


def test_fewest_tokens(both: Both) -> None:
    settings = Settings(Beam(4), max_tokens=LENGTH, min_tokens=6)
    assert _best(both.found(settings)) == both.expected(num_beams=4, min_new_tokens=6)
