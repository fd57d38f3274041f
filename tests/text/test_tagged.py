from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.text.tagged import Tagged, cut_at, join_words, split_words

UNSEEN = {chr(code) for code in range(0x2060, 0x206A)} | set("\u200b\u200e\u200f\ufeff")
UNSEEN |= {chr(code) for code in (*range(32), *range(127, 160), *range(0x202A, 0x202F))}


def words_of(text: str) -> list[str]:
    return [text[start:end] for start, end in split_words(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Angela Merkel met him.", ["Angela", "Merkel", "met", "him", "."]),
        ("the U.S. and e.g. 3.5%", ["the", "U.S.", "and", "e.g.", "3.5", "%"]),
        ("a U.S.-based firm (Inc.)", ["a", "U.S.-based", "firm", "(", "Inc", ".", ")"]),
        ('"Don\'t!", she said', ['"', "Don't", "!", '"', ",", "she", "said"]),
        ("well-known…", ["well-known", "…"]),
        ("fun 🎉🎉 now", ["fun", "🎉", "🎉", "now"]),
        ("...", [".", ".", "."]),
        ("👩\u200d🔬 in 🇨🇳🇩🇪, 👍🏽!", ["👩\u200d🔬", "in", "🇨🇳", "🇩🇪", ",", "👍🏽", "!"]),
        ("❤\ufe0f我\ufe00很 e\u0301te\u0301", ["❤\ufe0f", "我\ufe00", "很", "e\u0301te\u0301"]),
        ("ที่นี่", ["ที่", "นี่"]),
        (
            "\ufeff(Ada\u200b) A\u200bda\x00 \u200eeins\u200f",
            ["(", "Ada", ")", "A\u200bda", "eins"],
        ),
        ("soft\u00adly \u0301", ["soft\u00adly", "\u0301"]),
        ("我在北京。", ["我", "在", "北", "京", "。"]),
        ("在iPhone上, ok", ["在", "iPhone", "上", ",", "ok"]),
        ("用Python，Java（3.5）…", ["用", "Python", "，", "Java", "（", "3.5", "）", "…"]),
        ("Paris—“London”", ["Paris", "—", "“", "London", "”"]),
        (" \n\t", []),
        ("", []),
    ],
)
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@given(st.text())
def test_words_cover_all_that_is_seen_in_order(text: str) -> None:
    spans = split_words(text)
    covered = {place for start, end in spans for place in range(start, end)}
    unseen = {place for place, one in enumerate(text) if one in UNSEEN or one.isspace()}
    assert covered | unseen == set(range(len(text)))
    assert not unseen & {place for start, end in spans for place in (start, end - 1)}
    assert all(start < end for start, end in spans)
    assert [end for _, end in spans][:-1] <= [start for start, _ in spans][1:]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["EU", "rejects", "it", "."], "EU rejects it ."),
        (["我", "在", "北京", "。"], "我在北京。"),
        (["买", "iPhone", "吧"], "买 iPhone 吧"),
        (["１", "月"], "１月"),
        (["a", "", "b"], "a  b"),
        ([], ""),
    ],
)
def test_words_are_joined_as_their_script_is_written(words: list[str], text: str) -> None:
    joined, spans = join_words(words)
    assert joined == text
    assert [joined[start:end] for start, end in spans] == words


@given(st.lists(st.text()))
def test_joined_words_stand_where_they_are_said_to(words: list[str]) -> None:
    text, spans = join_words(words)
    assert [text[start:end] for start, end in spans] == words
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_words_are_cut_where_something_else_begins() -> None:
    assert cut_at([(0, 10), (11, 14)], [3, 7, 11, 20, 3]) == [(0, 3), (3, 7), (7, 10), (11, 14)]
    assert cut_at([(0, 4)], [0, 4]) == [(0, 4)]


def test_what_there_is_in_a_text() -> None:
    words = ((0, 2), (3, 6), (7, 8))
    names = Tagged("Bo Lee .", words, ("B-PER", "I-PER", "O"))
    assert names.kinds == ["PER"] and names.spelled() == ["Bo", "Lee", "."]
    assert Tagged("Bo Lee .", words, ("NN", "NN", ".")).kinds == ["NN", "NN", "."]
    assert Tagged("Bo Lee .", words, ("O", "O", "O")).kinds == []


def test_what_tags_mark_is_the_same_in_every_scheme():
    words = ((0, 2), (3, 6), (7, 8))
    schemes = [("B-PER", "I-PER", "O"), ("I-PER", "I-PER", "O"), ("B-PER", "L-PER", "O")]
    assert {Tagged("Bo Lee .", words, tags).marked for tags in schemes} == {((0, 2, "PER"),)}
    assert Tagged("Bo Lee .", words, ("NN", "NN", ".")).marked == ("NN", "NN", ".")


def test_as_a_person_reads_it() -> None:
    assert str(Tagged("Bo .", ((0, 2), (3, 4)), ("B-PER", "O"))) == "Bo/B-PER ./O"
    long = Tagged("a" * 20, tuple((at, at + 1) for at in range(20)), ("O",) * 20)
    assert str(long).endswith("a/O … (20 words)")
    assert str(Tagged("", (), ())) == "(no words)"
