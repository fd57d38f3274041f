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
