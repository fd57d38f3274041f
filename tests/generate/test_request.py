"""Requests that a model cannot do are refused before anything is written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.small import make, post_norm
from tests.generate.small import END, START, VOCABULARY, request, writer

from manyheads.errors import GenerationError
from manyheads.generate import Beam, Engine, Finish, Request, Settings, Writer, generate

WRITES = Settings(max_tokens=8)


def refused(name: str, wrong: Request) -> str:
    """What both ways in say, one line."""
    ours = writer(name)
    with pytest.raises(GenerationError) as first:
        generate(ours, [request(ours, 3), wrong])
    engine = Engine(ours)
    engine.add(request(ours, 3))
    with pytest.raises(GenerationError) as second:
        engine.add(wrong)
    message = str(first.value)
    assert message == str(second.value)
    assert message.startswith("request 1") and "\n" not in message
    return message


@pytest.mark.parametrize("name", ["gpt2", "bart"])
def test_an_empty_prompt(name: str) -> None:
    source = [3] if writer(name).reads else None
    assert "empty prompt" in refused(name, Request([], source, WRITES))


def test_sources() -> None:
    assert "needs a source" in refused("bart", Request([START], None, WRITES))
    assert "empty source" in refused("bart", Request([START], [], WRITES))
    assert "reads no source" in refused("gpt2", Request([3], [3], WRITES))


@pytest.mark.parametrize("wrong", [-1, VOCABULARY])
@pytest.mark.parametrize("name", ["gpt2", "bart", "t5"])
def test_tokens_outside_of_the_vocabulary(name: str, wrong: int) -> None:
    source = [3] if writer(name).reads else None
    for bad in (
        Request([3, wrong], source, WRITES),
        Request([3], source, replace(WRITES, prefix=(wrong,))),
        Request([3], source, replace(WRITES, required=((4, wrong),))),
        Request([3], source, replace(WRITES, banned=((4, wrong),))),
        Request([3], source, replace(WRITES, vocabulary=frozenset({4, wrong}))),
    ):
        assert f"{wrong} " in refused(name, bad)
        assert f"{VOCABULARY} tokens" in refused(name, bad)
    if source:
        assert f"{wrong} " in refused(name, Request([START], [3, wrong], WRITES))


def test_positions() -> None:
    """GPT-2 here has 64; the last token that is written is never read."""
    ours = writer("gpt2")
    longest = Request([3] * 57, None, Settings(max_tokens=8, banned=((END,),)))
    assert len(generate(ours, [longest])[0].best.tokens) == 8
    message = refused("gpt2", Request([3] * 58, None, WRITES))
    assert "64 positions" in message and "at most 7" in message
    assert "64 positions" in refused("bart", Request([START], [3] * 65, WRITES))
    generate(writer("bart"), [Request([START], [3] * 64, WRITES)])


def test_a_prompt_that_leaves_no_room() -> None:
    message = refused("gpt2", Request([3] * 65, None, Settings(max_tokens=1)))
    assert "64 positions" in message and "shorter prompt" in message and "at most 0" not in message


def test_tokens_that_end_cannot_be_given() -> None:
    for settings in (
        replace(WRITES, prefix=(3, END)),
        replace(WRITES, required=((3, END),)),
    ):
        assert "ends an output" in refused("gpt2", Request([3], None, settings))


def test_strings_that_stop() -> None:
    ours = writer("gpt2")
    mute = Writer(ours.transformer, ours.ends)
    with pytest.raises(GenerationError, match="can spell"):
        generate(mute, [Request([3], None, replace(WRITES, stop=("a",)))])
    # What it begins with, "abc", would end it before it began.
    settings = replace(WRITES, prefix=(2, 3, 4), stop=("bc",))
    assert "'bc'" in refused("gpt2", Request([3], None, settings))


def test_coverage_needs_a_source() -> None:
    settings = Settings(Beam(2, coverage_penalty=0.5), max_tokens=4)
    assert "coverage_penalty" in refused("gpt2", Request([3], None, settings))


def test_required_phrases_that_cannot_stand_together() -> None:
    """4 5 is banned: 3 4 may not come before 5 6, and there is room for nothing between them."""
    settings = Settings(max_tokens=4, banned=((4, 5),), required=((3, 4), (5, 6)))
    outputs = generate(writer("gpt2"), [Request([3], None, settings)])
    assert outputs[0].best.tokens == (5, 6, 3, 4)
    never = replace(settings, banned=((4, 5), (6, 3)))
    message = refused("gpt2", Request([3], None, never))
    assert "max_tokens=4" in message and "banned" in message
    generate(writer("gpt2"), [Request([3], None, replace(never, max_tokens=5))])
    behind = Settings(max_tokens=2, prefix=(4,), banned=((4, 5),), required=((5,),))
    assert "banned" in refused("gpt2", Request([3], None, behind))


def test_an_end_outside_of_the_vocabulary() -> None:
    with pytest.raises(GenerationError, match=f"token {VOCABULARY} .*{VOCABULARY} tokens"):
        Writer(writer("gpt2").transformer, frozenset({END, VOCABULARY}))


def test_an_encoder_cannot_write() -> None:
    encoder = Writer(make(post_norm()), frozenset({END}))
    with pytest.raises(GenerationError, match="no decoder"):
        Engine(encoder)
    with pytest.raises(GenerationError, match="max_rows=0"):
        Engine(writer("gpt2"), max_rows=0)


def test_why_an_output_ended() -> None:
    ours = writer("gpt2")
    full = Settings(max_tokens=5, banned=((END,),))
    assert generate(ours, [Request([3], None, full)])[0].best.finish is Finish.LENGTH
    ends = Settings(max_tokens=5, vocabulary=frozenset())
    output = generate(ours, [Request([3], None, ends)])[0].best
    assert (output.tokens, output.finish) == ((END,), Finish.END)
    stops = Settings(max_tokens=5, vocabulary=frozenset({2}), min_tokens=5, stop=("aa",))
    output = generate(ours, [Request([3], None, stops)])[0].best
    assert (output.tokens, output.finish) == ((2, 2), Finish.STOP)
