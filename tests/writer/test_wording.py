"""Phrases as texts: banned wherever they begin, required as words, spelled or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import manyheads as mh
from manyheads.errors import GenerationError
from manyheads.generate.phrases import holds
from manyheads.hub import load_model
from manyheads.writer.phrases import banned_variants, exact, required_variant

from . import models


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> mh.Generator:
    return mh.Generator(models.publish(tmp_path_factory.mktemp("gpt2"), "gpt2"))


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> mh.Generator:
    return mh.Generator(models.publish(tmp_path_factory.mktemp("t5"), "t5"))


@pytest.fixture(scope="module", params=["gpt2", "t5"])
def generator(request: pytest.FixtureRequest) -> mh.Generator:
    return request.getfixturevalue(request.param)


def spelled(generator: mh.Generator, phrase: tuple[int, ...]) -> str:
    return "".join(generator.model.tokenizer.tokens(phrase)).replace("▁", "Ġ")


def test_variants(generator: mh.Generator) -> None:
    tokenizer = generator.model.tokenizer
    banned = {spelled(generator, one) for one in banned_variants(tokenizer, " cat ")}
    assert banned == {"cat", "Ġcat"}
    assert spelled(generator, required_variant(tokenizer, "cat")) == "Ġcat"
    assert spelled(generator, required_variant(tokenizer, "the cat")) == "ĠtheĠcat"
    assert spelled(generator, required_variant(tokenizer, "!")) == "!"


def test_chinese_stands_behind_no_space(gpt2: mh.Generator, t5: mh.Generator) -> None:
    for one in (gpt2, t5):
        tokens = required_variant(one.model.tokenizer, "北京")
        assert one.model.tokenizer.decode(tokens) == "北京"
        assert spelled(one, tokens)[0] != "Ġ"


@pytest.mark.parametrize("strategy", [mh.Greedy(), mh.Beam(3), mh.Sample()])
def test_what_is_banned_is_not_there(generator: mh.Generator, strategy: object) -> None:
    free = mh.Wording(strategy, max_tokens=20)
    (before,) = generator.outputs(["The cat"], free)[0]
    pieces = [token.strip("Ġ▁") for token in before.tokens]
    word = next(piece for piece in pieces if piece.isalpha())
    wording = mh.Wording(strategy, max_tokens=20, banned=(word,))
    (after,) = generator.outputs(["The cat"], wording)[0]
    variants = [
        generator.model.tokenizer.tokens(one)
        for one in banned_variants(generator.model.tokenizer, word)
    ]
    assert any(holds(before.tokens, one) for one in variants)
    assert not any(holds(after.tokens, one) for one in variants)


@pytest.mark.parametrize("strategy", [mh.Greedy(), mh.Beam(3)])
def test_what_is_required_is_there(generator: mh.Generator, strategy: object) -> None:
    wording = mh.Wording(strategy, max_tokens=24, required=("the dog", "Paris"))
    text = generator("A", wording)
    assert "the dog" in text
    assert "Paris" in text


def test_an_output_begins_as_it_is_told(generator: mh.Generator) -> None:
    text = generator("The cat", mh.Wording(prefix="the dog", max_tokens=12))
    assert text.startswith("the dog")


def test_what_cannot_be_spelled_is_named(t5: mh.Generator) -> None:
    for wording in (
        mh.Wording(banned=("日",)),
        mh.Wording(required=("cat", "日")),
        mh.Wording(prefix="日"),
    ):
        with pytest.raises(GenerationError, match="cannot spell '日'"):
            t5("hello", wording)
    with pytest.raises(GenerationError, match="cannot spell ''"):
        exact(t5.model.tokenizer, "")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"banned": "cat"}, r"put phrases into a tuple: \('cat',\)"),
        ({"stop": ("",)}, "stop holds an empty"),
        ({"required": (" ",)}, "required holds an empty"),
        ({"banned": ("cat",), "required": ("the cats",)}, "'the cats' is required and holds 'cat'"),
    ],
)
def test_wording_that_cannot_be(settings: dict, said: str) -> None:
    with pytest.raises(GenerationError, match=said):
        mh.Wording(**settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"min_tokens": 9, "max_tokens": 3}, "min_tokens=9 exceeds max_tokens=3"),
        ({"required": ("the cat sat on the mat",), "max_tokens": 2}, "leave no room"),
        ({"n_best": 2}, "greedy search finds 1 output"),
        ({"strategy": mh.Beam(2), "n_best": 3}, "exceeds beams=2"),
        ({"task": "chess"}, "no task 'chess'"),
        ({"target_language": "fr"}, "names no languages"),
        ({"source_language": "fr"}, "names no languages"),
    ],
)
def test_what_this_model_cannot_do(t5: mh.Generator, settings: dict, said: str) -> None:
    with pytest.raises(GenerationError, match=said):
        t5("hello", mh.Wording(**settings))


def test_a_stream_shows_one_output(gpt2: mh.Generator) -> None:
    with pytest.raises(GenerationError, match="n_best=2"):
        gpt2.stream("a", mh.Wording(mh.Beam(2), n_best=2))


def test_folders_say_less_than_wording(tmp_path: Path) -> None:
    usual = {"max_new_tokens": 9, "min_new_tokens": 5, "do_sample": True}
    generator = mh.Generator(models.publish(tmp_path, "gpt2", generation=usual))
    assert generator.settings().max_tokens == 9
    assert generator.settings().strategy == mh.Sample(top_k=50)
    short = generator.settings(mh.Wording(mh.Greedy(), max_tokens=3))
    assert (short.strategy, short.max_tokens, short.min_tokens) == (mh.Greedy(), 3, 3)
    assert load_model(tmp_path).folder == tmp_path


def test_max_length_counts_the_prompt(tmp_path: Path) -> None:
    generator = mh.Generator(models.publish(tmp_path, "gpt2", generation={"max_length": 30}))
    (encoded,) = generator.model.tokenizer.encode(["The cat sat on"])
    (written,) = generator.outputs(["The cat sat on"], mh.Wording(min_tokens=1))[0]
    assert len(written.tokens) <= 30 - encoded.tokens
    assert generator.settings().max_tokens == 29
