from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.errors import RecipeError, TrainingError
from manyheads.train.rates.lr_probes import Probe, ProbedRates, RateProbes, held_apart

SEARCH = RateProbes(rates=(1e-6, 3e-4, 1e-2, 1e3), shortest=4, share=0.1)


@pytest.fixture(scope="module")
def data() -> mh.Dataset:
    return tiny.moods(48, valid=tiny.columns(tiny.mood_rows(24, seed=5)))


def fresh(data: mh.Dataset, **settings: Any) -> mh.Learner:
    recipe = mh.Recipe(batch_size=8, epochs=2, **{"probe_examples": 0, **settings})
    return mh.Learner(tiny.SCRATCH, mh.Classification(), data, recipe, quiet=True)


@pytest.fixture(scope="module")
def found(data: mh.Dataset) -> ProbedRates:
    return fresh(data).find_lr(SEARCH)


def test_the_rate_that_learns_is_found_among_those_that_do_not(found: ProbedRates):
    assert found.best.rate in (3e-4, 1e-2)
    assert found.rates == SEARCH.rates
    losses = dict(zip(found.rates, found.losses, strict=True))
    assert losses[found.best.rate] < losses[1e-6] < losses[1e3]


def test_bad_rates_are_dropped_and_good_ones_prolonged(found: ProbedRates):
    rounds = found.rounds()
    assert [(steps, len(losses)) for steps, losses in rounds.items()] == [(4, 4), (12, 2)]
    assert found.steps == 4 * 4 + 2 * 12
    assert found.run_steps == 12
    first, second = rounds.values()
    assert set(second) == set(sorted(first, key=first.__getitem__)[:2])


def test_the_longer_the_run_the_lower_its_rate_where_it_is_to_fall():
    probes = (Probe(1e-2, 20, 0.5),)
    short, long = (ProbedRates(probes, steps, fall=0.32) for steps in (20, 20_000))
    assert short.suggestion == 1e-2
    assert long.suggestion == pytest.approx(1e-2 * 1000**-0.32, rel=0.1)
    assert ProbedRates(probes, 20_000).suggestion == 1e-2


def test_the_probes_take_the_share_of_a_run_that_is_asked_for():
    search = RateProbes()
    assert search.rounds == [7, 3]
    assert search.first_steps(32_000) == 1_000
    assert search.first_steps(10) == 7


def test_the_model_stays_as_it_was_bit_for_bit(data: mh.Dataset):
    learner = fresh(data, probe_examples=48)
    before = {name: tensor.clone() for name, tensor in learner.model.state_dict().items()}
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    found = learner.find_lr(SEARCH)
    assert torch.equal(torch.rand(3), expected)
    after = learner.model.state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in after.items())
    assert all(parameter.grad is None for parameter in learner.model.parameters())
    assert learner.find_lr(SEARCH) == found


def test_an_interruption_leaves_the_model_as_it_was(data: mh.Dataset):
    learner = fresh(data)
    before = {name: tensor.clone() for name, tensor in learner.model.state_dict().items()}
    passes = 0

    def interrupt(*_: Any) -> None:
        nonlocal passes
        passes += 1
        if passes == 7:
            raise KeyboardInterrupt

    watch = learner.model.register_forward_pre_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        learner.find_lr(SEARCH)
    watch.remove()
    after = learner.model.state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in after.items())


def test_training_after_a_search_is_as_without(data: mh.Dataset):
    plain, searched = fresh(data, probe_examples=48), fresh(data, probe_examples=48)
    searched.find_lr(SEARCH)
    plain.fit(epochs=1)
    searched.fit(epochs=1)
    theirs = searched.model.state_dict()
    assert all(torch.equal(t, theirs[n]) for n, t in plain.model.state_dict().items())


def test_a_probe_is_the_short_run_that_it_stands_for(data: mh.Dataset):
    """One epoch at a rate, judged as `evaluate` does."""
    recipe = mh.Recipe(
        batch_size=8, epochs=2, probe_examples=0, precision="float32", schedule="constant"
    )
    learner = mh.Learner(tiny.SCRATCH, mh.MultiLabel(), data, recipe, quiet=True)
    search = RateProbes(rates=(1e-6, 3e-3), shortest=6, share=1e-9)
    found = learner.find_lr(search)
    learner.fit(epochs=1, learning_rate=3e-3)
    assert learner.evaluate("valid").loss == pytest.approx(found.losses[1], rel=1e-4)


def test_being_too_sure_is_not_held_against_a_classifier(data: mh.Dataset):
    """One epoch at a rate, judged by its loss at the temperature that is best for it."""
    learner = fresh(data, precision="float32", schedule="constant")
    found = learner.find_lr(RateProbes(rates=(1e-6, 1e-2), shortest=6, share=1e-9))
    learner.fit(epochs=1, learning_rate=1e-2)
    batches = [learner.task.collate(learner.examples["valid"])]
    with torch.inference_mode():
        tempered = learner.task.tempered_loss(learner.model, batches)
    assert found.losses[1] == pytest.approx(tempered, rel=1e-4)
    assert tempered < learner.evaluate("valid").loss


def test_without_a_validation_split_a_tenth_of_the_rows_is_held_out():
    data = tiny.moods(60)
    found = fresh(data).find_lr(SEARCH)
    assert found.best.rate in (3e-4, 1e-2)
    assert found.run_steps == 2 * math.ceil(54 / 8)


def test_windows_of_a_row_are_held_out_together():
    class Piece:
        def __init__(self, row: int) -> None:
            self.row = row

    learnt, apart = held_apart([Piece(n // 2) for n in range(80)], seed=0)  # type: ignore[arg-type]
    assert len(learnt) == 72 and len(apart) == 8
    assert not {one.row for one in learnt} & {one.row for one in apart}


def test_chinese_texts_and_words_are_searched_for_too():
    rows = [("这家饭店的菜很好吃", "好"), ("房间又小又脏,太差了", "差")] * 16
    learner = fresh(tiny.table(rows, valid=tiny.columns(rows[:8])))
    assert learner.find_lr(SEARCH).best.rate in (3e-4, 1e-2)
    tagger = mh.Learner(tiny.SCRATCH, mh.Tagging(), tiny.names(40), tiny.TAGGING, quiet=True)
    assert tagger.find_lr(SEARCH).best.rate in (3e-4, 1e-2)


def test_too_few_rows_are_refused():
    with pytest.raises(RecipeError, match="12 samples are too few"):
        fresh(tiny.moods(12)).find_lr(SEARCH)


def test_where_every_rate_diverges_that_is_said(data: mh.Dataset):
    def spoil(module: Any, inputs: Any, outputs: torch.Tensor) -> torch.Tensor:
        return outputs * torch.nan

    learner = fresh(data)
    learner.model.register_forward_hook(spoil)
    with pytest.raises(TrainingError, match="all rates from 1e-06 to 1e\\+03 diverged"):
        learner.find_lr(SEARCH)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"rates": (1e-3,)}, "rates"),
        ({"rates": (1e-3, -1.0)}, "rates"),
        ({"share": 0.0}, "share"),
        ({"fall": -1.0}, "fall"),
    ],
)
def test_a_search_that_is_none_is_refused(settings: dict[str, Any], named: str):
    with pytest.raises(RecipeError, match=named):
        RateProbes(**settings)


def test_autofit_takes_the_rate_that_is_found(data: mh.Dataset):
    learner = fresh(data)
    history = learner.autofit(epochs=1)
    assert 1e-4 < learner.last_recipe.learning_rate < 2e-2
    assert len(history.steps) == 6


def test_what_was_found_is_told_and_drawn(tmp_path: Path):
    first = (Probe(1e-4, 10, 0.7), Probe(1e-2, 10, math.inf), Probe(1e-3, 10, 0.6))
    probes = (*first, Probe(1e-3, 20, 0.4), Probe(1e-4, 20, 0.5))
    found = ProbedRates(probes, run_steps=100, fall=0.32)
    assert str(found).splitlines() == [
        "held-out loss after      10      20 updates",
        "1e-04                0.7000  0.5000",
        "1e-03                0.6000  0.4000",
        "1e-02                   inf",
        "suggested learning rate 6e-04 for 100 updates (found by 70, 0.70 times as many)",
    ]
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["suggestion"] == 6e-4
    assert told["losses"] == [0.5, 0.4, None]
    assert told["probes"][1] == {"rate": 0.01, "steps": 10, "loss": None}
    assert found.draw(tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")
