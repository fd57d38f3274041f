"""Text that is shown is never taken back, and nothing is missing at the end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.generate.small import request, spell, writer
from tests.generate.test_engine import WAYS

from manyheads.generate import (
    Beam,
    Engine,
    Finish,
    Hypothesis,
    Settings,
    TextStream,
    cut_at,
    generate,
)
from manyheads.generate.constraints import Rules
from manyheads.generate.search import BeamSearch, Path
from manyheads.generate.stream import certain


def utf8(tokens: Sequence[int]) -> str:
    """Each token is one byte, as in a byte-level vocabulary: characters come in pieces."""
    return bytes(tokens).decode(errors="replace")


def pieces_of(text: str, stops: Sequence[str], cuts: Sequence[int]) -> list[str]:
    """What a stream shows of a text whose bytes come in pieces of these sizes."""
    tokens = list(text.encode())
    stream = TextStream(utf8, stops)
    pieces = []
    while tokens:
        size = cuts[len(pieces) % len(cuts)]
        pieces.append(stream.add(tokens[:size]))
        tokens = tokens[size:]
    return [*pieces, stream.end()]


TEXTS = st.text("ab 你好🙂é\n�", max_size=12)


@given(TEXTS, st.lists(st.integers(1, 7), min_size=1, max_size=4))
@example("你好，世界🙂🏳️‍🌈", [1])
def test_pieces_are_the_text(text: str, cuts: list[int]) -> None:
    assert "".join(pieces_of(text, (), cuts)) == text


@given(TEXTS, st.text("ab 你🙂\n", min_size=1, max_size=4), st.lists(st.integers(1, 7), min_size=1))
@example("好你🙂b", "你🙂", [1])
@example("a\nb\n\nb", "\n\n", [2])
@example("ab", "ab", [1])
def test_pieces_are_the_text_up_to_a_string_that_stops(
    text: str, stop: str, cuts: list[int]
) -> None:
    assert "".join(pieces_of(text, (stop,), cuts)) == cut_at(text, (stop,))


def test_characters_in_pieces() -> None:
    assert pieces_of("你好", (), [1]) == ["", "", "你", "", "", "好", ""]
    assert pieces_of("a🙂b", (), [2]) == ["a", "", "🙂b", ""]


def test_bytes_that_never_become_a_character_come_at_the_end() -> None:
    stream = TextStream(utf8)
    assert stream.add([*b"a", 0xE4]) == "a"
    assert stream.add([0xBD]) == ""
    assert stream.end() == "�"
    assert stream.end() == ""


def test_strings_that_stop_across_tokens() -> None:
    assert pieces_of("abcde", ("bcd",), [1]) == ["a", "", "", "", "", ""]
    assert pieces_of("abcxe", ("bcd",), [1]) == ["a", "", "", "bcx", "e", ""]
    assert pieces_of("abc", ("bcd",), [1]) == ["a", "", "", "bc"]
    assert pieces_of("bcd", ("b",), [3]) == ["", ""]
    # The first byte of 束 leaves 结 open: shown, it could not be taken back.
    assert "".join(pieces_of("完结束", ("结束",), [1])) == "完"
    assert pieces_of("aab", ("ab", "b"), [1]) == ["", "a", "", ""]


def test_cut_at() -> None:
    assert cut_at("one two three", ("three", "two")) == "one "
    assert cut_at("one two", ("three",)) == cut_at("one two", ()) == "one two"
    assert cut_at("two", ("two",)) == ""


def test_what_is_certain() -> None:
    rules = Rules(Settings(Beam(2)), frozenset({1}))
    search = BeamSearch(Path(), Beam(2), rules, lambda _: None)
    search.live = [Path((5, 6, 7)), Path((5, 6, 8))]
    assert certain(search, 0) == (5, 6)
    assert certain(search, 1) == (6,)
    assert certain(search, 2) == ()
    search._found.append(Hypothesis((5, 1), (0.0, 0.0), 0.0, Finish.END))
    assert certain(search, 0) == (5,) and certain(search, 1) == ()


@pytest.mark.parametrize("settings", WAYS, ids=range(len(WAYS)))
@pytest.mark.parametrize("name", ["llama", "t5"])
def test_news_are_the_best_output_piece_by_piece(name: str, settings: Settings) -> None:
    ours = writer(name)
    asked = request(ours, 5, settings)
    engine = Engine(ours)
    ticket = engine.add(asked)
    stream = TextStream(spell, settings.stop)
    tokens: tuple[int, ...] = ()
    text = ""
    output = None
    while engine.busy:
        for news in engine.step():
            assert news.ticket == ticket and output is None
            tokens += news.tokens
            text += stream.add(news.tokens)
            output = news.output
    assert output is not None
    assert tokens == output.best.tokens
    assert text + stream.end() == cut_at(spell(tokens), settings.stop)


def test_an_output_ends_where_a_string_stops_it() -> None:
    """Stops of each pair of letters that greedy search writes, and of its first."""
    ours = writer("llama")
    asked = request(ours, 3, Settings(max_tokens=10, no_repeat_ngram=2, min_tokens=10))
    text = spell(generate(ours, [asked])[0].best.tokens)
    assert len(text) >= 8
    for at in range(len(text) - 1):
        for size in (1, 2, 3):
            stop = text[at : at + size]
            settings = Settings(max_tokens=10, no_repeat_ngram=2, min_tokens=10, stop=("zz", stop))
            best = generate(ours, [request(ours, 3, settings)])[0].best
            assert spell(best.tokens) == text[: text.find(stop) + len(stop)]
            assert best.finish is Finish.STOP
            assert cut_at(spell(best.tokens), settings.stop) == text[: text.find(stop)]
