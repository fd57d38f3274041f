import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.errors import RecipeError
from manyheads.text import Cleaning
from manyheads.text.clean import end_of

everything = Cleaning(html=True, unicode=True, controls=True, surrogates=True)
any_text = st.text(st.characters(exclude_categories=()))
markup = st.lists(
    st.sampled_from(["&", "amp;", "lt;", "#108;", "t;", "<", "b", ">", "/", " ", "<!--", "x", "é"])
).map("".join)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("I&#039;m", "I'm"),
        ("I&amp;#039;m", "I'm"),
        ("I&amp;amp;#039;m", "I'm"),
        ("&lt;b&gt;bold&lt;/b&gt;", "bold"),
        ("one<br />two", "one two"),
        ("<p class='x'>one</p>", " one "),
        ("in<b>sepa</b>rable", "inseparable"),
        ("a<script>var x = '<b>';</script>b", "a b"),
        ("a<!-- note -->b", "a b"),
        ("a <!-- never closed", "a  "),
        ("我<span>喜欢</span>你", "我喜欢你"),
        ("a < b and c > d", "a < b and c > d"),
        ("I <3 you", "I <3 you"),
        ("mail <me@mail.org>", "mail <me@mail.org>"),
        ("?page=1&copy=2", "?page=1&copy=2"),
        ("AT&T; &unheard;", "AT&T; &unheard;"),
        ("caf&eacute;", "café"),
    ],
)
def test_html(raw: str, clean: str) -> None:
    assert Cleaning(html=True)(raw) == clean


def test_html_stays_when_it_is_not_asked_for() -> None:
    assert Cleaning()("<b>&amp;</b>") == "<b>&amp;</b>"


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a\x00b\x1bc\x85d", "a b c d"),
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("\ufeffa\u200bb\u00adc", "abc"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("e\u0301", "é"),
    ],
)
def test_controls_and_unicode(raw: str, clean: str) -> None:
    assert Cleaning()(raw) == clean


def test_steps_can_be_switched_off() -> None:
    assert Cleaning(unicode=False, controls=False)("e\u0301\x00") == "e\u0301\x00"


def test_surrogates_are_joined_or_replaced_only_when_asked() -> None:
    raw = "a\ud800b \ud83d\ude00 c\udc00"
    assert Cleaning()(raw) == raw
    assert Cleaning(surrogates=True)(raw) == "a\ufffdb 😀 c\ufffd"


@given(any_text)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    cleaned = everything(text)
    assert everything(cleaned) == cleaned


@given(markup)
def test_cleaning_markup_twice_changes_nothing(text: str) -> None:
    cleaned = everything(text)
    assert everything(cleaned) == cleaned


@given(any_text)
def test_cleaned_text_is_valid(text: str) -> None:
    cleaned = everything(text)
    cleaned.encode("utf-8")
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in cleaned)


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "Zs"])))
def test_plain_text_is_left_alone(text: str) -> None:
    assert everything(text) == text


@pytest.mark.parametrize("unit", ["amp;", "<!--", "<a ", "<script>", "<", "&#38;", "é\u200b"])
def test_no_text_takes_quadratic_time(unit: str) -> None:
    begin = time.perf_counter()
    everything("&" + unit * (1_000_000 // len(unit)))
    assert time.perf_counter() - begin < 10  # quadratic time would be minutes


def test_json_round_trip() -> None:
    for cleaning in (Cleaning(), everything, Cleaning(unicode=False)):
        assert Cleaning.from_json(cleaning.to_json()) == cleaning


def test_json_refuses_what_it_does_not_know() -> None:
    with pytest.raises(RecipeError, match="Did you mean 'html'"):
        Cleaning.from_json({"htm": True})
    with pytest.raises(RecipeError, match="must be true or false"):
        Cleaning.from_json({"html": "yes"})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("raw", "clean", "origins"),
    [
        ("plain", "plain", None),
        ("cafe\u0301 x", "café x", [0, 1, 2, 3, 5, 6]),
        ("a\r\nb\rc", "a\nb\nc", [0, 1, 3, 4, 5]),
        ("a\u200bb", "ab", [0, 2]),
        ("e\u200b\u0301x", "éx", [0, 3]),
        ("\ufeffBonn", "Bonn", [1, 2, 3, 4]),
        ("\u1112\u1161\u11ab!", "한!", [0, 3]),
        ("\ud83d\ude00 x", "😀 x", [0, 2, 3]),
        ("\u0958x", "\u0915\u093cx", [0, 0, 1]),  # NFC takes this one apart
        ("q\u0323\u0307", "q\u0323\u0307", None),
        ("q\u0307\u0323x", "q\u0323\u0307x", [0, 0, 0, 3]),
        ("\U00016d63\U00016d67\U00016d67", "\U00016d69\U00016d67", None),
        ("\ud804\udc99\ud804\udcba", "\U0001109a", [0]),  # letter and mark, both in halves
        ("\u200b\u00ad", "", []),
    ],
)
def test_cleaning_says_where_each_character_was(
    raw: str, clean: str, origins: list[int] | None
) -> None:
    cleaning = Cleaning(surrogates=True)
    if clean != cleaning(raw):  # what is one depends on the version of Unicode
        assert "\U00016d63" in raw
        return
    found, places = cleaning.traced(raw)
    assert found == clean
    if origins is not None or found == raw:
        assert places == origins


@given(st.one_of(any_text, st.text("a\u0301\u0323\u200b\r\n\x00\ud83d\ude00\u1112\u1161\u11ab한")))
def test_traces_go_on_and_unchanged_characters_are_where_they_were(text: str) -> None:
    cleaning = Cleaning(surrogates=True)
    cleaned, places = cleaning.traced(text)
    assert cleaned == cleaning(text)
    if places is None:
        assert cleaned == text
        return
    assert len(places) == len(cleaned)
    assert places == sorted(places)
    for character, place in zip(cleaned, places, strict=True):
        if unicodedata.combining(character) or not character.isascii() or character in "\n ":
            continue
        assert text[place] == character


def test_every_pair_that_becomes_one_is_cleaned_together() -> None:
    """All of Unicode: no letter is missing among those that join the one before them."""
    pairs = [
        parts
        for code in range(0x110000)
        if len(parts := unicodedata.normalize("NFD", chr(code))) > 1
    ]
    assert len(pairs) > 10_000
    for parts in pairs:
        for text in (parts, f"x{parts}x", f"\u200b{parts}"):
            cleaned, _ = Cleaning().traced(text)
            assert cleaned == Cleaning()(text)


def test_html_leaves_no_trace() -> None:
    with pytest.raises(RecipeError, match="could not be shown in the text that was given"):
        Cleaning(html=True).traced("<b>x</b>")


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("ab", [1, 2]),
        ("e\u0301\u0323x", [3, 3, 3, 4]),
        ("\r\n\n", [2, 2, 3]),
        ("a\u200bb", [2, 2, 3]),
    ],
)
def test_what_is_cleaned_together_ends_together(text: str, ends: list[int]) -> None:
    assert [end_of(text, at) for at in range(len(text))] == ends
