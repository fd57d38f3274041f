from __future__ import annotations

import json
import random
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

import manyheads as mh
from manyheads.errors import RecipeError
from manyheads.train.memory.peak import plan_memory
from manyheads.train.memory.plan import MemoryPlan, readable
from manyheads.train.settings import Free, Gigabytes

SIZES = {"layers": 3, "width": 128, "heads": 4, "max_tokens": 128}
WORDS = mh.Words(vocabulary=300)
RECIPE = mh.Recipe(
    batch_size=16, batch_tokens=None, epochs=2, probe_examples=0, precision="float32", max_tokens=64
)


def texts(count: int = 16) -> list[str]:
    """Texts of 20 to 52 words."""
    draw = random.Random(0)
    return [
        " ".join(f"w{draw.randrange(200)}" for _ in range(20 + number % 5 * 8))
        for number in range(count)
    ]


def learner(kind: str = "classify", count: int = 16, **settings: Any) -> mh.Learner:
    rows = texts(count)
    data, task, body = {
        "classify": (
            {"text": rows, "label": ["a", "b"] * (count // 2)},
            mh.Classification(),
            mh.Scratch(tokenizer=WORDS, **SIZES),
        ),
        "write on": (
            {"text": rows},
            mh.LanguageModel(),
            mh.ScratchDecoder(tokenizer=WORDS, **SIZES),
        ),
        "translate": (
            {"text": rows, "target": rows[::-1]},
            mh.Translation(search=None),
            mh.ScratchSeq2Seq(tokenizer=WORDS, **SIZES),
        ),
        "embed": (
            {"text": rows, "pair": rows[::-1]},
            mh.Embedding(),
            mh.Scratch(tokenizer=WORDS, **SIZES),
        ),
        "embed in chunks": (
            {"text": rows, "pair": rows[::-1]},
            mh.Embedding(chunk_tokens=200),
            mh.Scratch(tokenizer=WORDS, **SIZES),
        ),
    }[kind]
    named = {name: name for name in ("target", "pair") if name in data}
    recipe = mh.Recipe(**{**dict(RECIPE), **settings})
    return mh.Learner(body, task, mh.read(data, valid=0, **named), recipe, quiet=True)


def tensors_at_peak(one: mh.Learner) -> int:
    """Train; return the most bytes that tensors held at a time, beside those there before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        one.fit()
    assert watched.profiler is not None
    now = most = 0
    for event in watched.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            most = max(most, now)
    return most


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("classify", {}),
        ("classify", {"dropout": 0.0}),
        ("classify", {"activations": "recompute"}),
        ("classify", {"adapt": "low_rank"}),
        ("classify", {"accumulate": 2, "batch_size": 8, "average": 0.9}),
        ("classify", {"precision": "bfloat16"}),
        ("write on", {}),
        ("translate", {}),
        ("embed", {}),
        ("embed in chunks", {}),
    ],
)
def test_the_peak_is_foretold(kind: str, settings: dict[str, Any]):
    one = learner(kind, **settings)
    foretold = one.plan().tensors
    assert foretold == pytest.approx(tensors_at_peak(one), rel=0.25, abs=100_000)


def test_a_body_that_does_not_learn_keeps_nothing():
    plan = learner(adapt="head_only").plan()
    assert plan.kept + plan.scores < 100_000
    assert plan.optimizer == 2 * plan.gradients < 200_000
    assert 0.3 < plan.tensors / tensors_at_peak(learner(adapt="head_only")) < 3


def test_a_batch_that_fits_is_computed_whole():
    one = learner()
    plan = one.plan()
    assert plan.whole and plan.sequences == 16
    assert plan.longest == max(one._fitting(one.recipe).epochs.lengths)
    roomy = plan_memory(one._fitting(one.recipe), Gigabytes(1000))
    assert roomy.whole and roomy.fits and roomy.limit == 10**12


def test_what_does_not_fit_is_computed_in_parts_that_do(capfd: pytest.CaptureFixture[str]):
    whole = learner(dropout=0.0)
    plan = whole.plan()
    limit = (plan.peak - int(0.4 * plan.kept)) / 1e9
    parts = learner(dropout=0.0, memory=Gigabytes(limit))
    sizes: list[int] = []
    parts.model.transformer.encoder.register_forward_pre_hook(
        lambda module, inputs: sizes.append(inputs[1].tokens)
    )
    parts.reporter.quiet = False
    whole.fit()
    parts.fit()
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("memory: ")]
    assert len(said) == 1 and "in parts of at most" in said[0] and said[0].endswith(" predicted")
    assert max(sizes) < plan.tokens and len(sizes) > len(whole.history.steps)
    assert [s.examples for s in parts.history.steps] == [s.examples for s in whole.history.steps]
    torch.testing.assert_close(
        dict(parts.model.state_dict()), dict(whole.model.state_dict()), rtol=1e-3, atol=1e-4
    )


def test_negatives_of_a_batch_are_computed_in_chunks():
    one = learner("embed")
    plan = one.plan()
    smaller = plan_memory(
        one._fitting(one.recipe), Gigabytes((plan.peak - int(0.4 * plan.kept)) / 1e9)
    )
    assert not smaller.whole and smaller.fits
    assert smaller.part is not None and smaller.tokens <= smaller.part < plan.tokens


def test_where_not_even_one_text_fits_that_is_said():
    plan = plan_memory(learner()._fitting(RECIPE), Gigabytes(1e-3))
    assert not plan.fits and plan.sequences == 1
    assert "which is too little" in str(plan) and "which is too little" in plan.line


def test_what_is_free_is_the_limit():
    plan = plan_memory(learner()._fitting(RECIPE), Free(0.5))
    more = plan_memory(learner()._fitting(RECIPE), Free(1.0))
    assert plan.limit is None or (more.limit is not None and plan.held < plan.limit < more.limit)


def test_a_plan_is_a_table_and_a_document():
    plan = MemoryPlan(
        held=300 * 10**6,
        optimizer=20 * 10**6,
        averages=0,
        best=10 * 10**6,
        gradients=10 * 10**6,
        kept=10**9,
        scores=200 * 10**6,
        working=10**6,
        tokens=4096,
        sequences=32,
        longest=200,
        part=None,
        limit=2 * 10**9,
    )
    assert str(plan).splitlines() == [
        "held before the run    300.00 MB",
        "optimizer               22.00 MB",
        "best weights so far     11.00 MB",
        "gradients               11.00 MB",
        "kept for gradients       1.10 GB",
        "attention scores       220.00 MB",
        "computing gradients      1.10 MB",
        "libraries at work      100.00 MB",
        "peak                     1.77 GB of 2.00 GB",
        "largest batch: 4,096 tokens in 32 sequences, the longest of 200",
    ]
    told = json.loads(json.dumps(plan.to_json()))
    assert told["fits"] and told["peak"] == plan.peak and told["tokens"] == 4096
    assert plan.line == "memory: batches are computed whole, 1.77 GB of 2.00 GB predicted"
    assert readable(999) == "999 B"


@pytest.mark.parametrize("value", ["free", "8", "7.5", "{ share = 0.5 }"])
def test_a_recipe_says_how_much_memory(value: str):
    recipe = mh.Recipe().with_settings([f"memory={value}"])
    assert (
        recipe.memory
        == {
            "free": Free(),
            "8": Gigabytes(8),
            "7.5": Gigabytes(7.5),
            "{ share = 0.5 }": Free(0.5),
        }[value]
    )
    assert mh.Recipe(**recipe.to_json()) == recipe


@pytest.mark.parametrize("value", ["0", "{ share = 1.5 }", "much"])
def test_memory_that_is_none_is_refused(value: str):
    with pytest.raises(RecipeError, match="memory"):
        mh.Recipe().with_settings([f"memory={value}"])
