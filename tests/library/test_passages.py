"""Passages: whole sentences, of limited length, overlapping, and exactly where they say."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.errors import ConfigError
from manyheads.library import Passages


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def test_sentences_are_packed_and_shared() -> None:
    text = "One two. Three four. Five six. Seven."
    cut = Passages(tokens=5, overlap=2).cut(text, words)
    assert [text[a:b] for a, b in cut] == [
        "One two. Three four.",
        "Three four. Five six. Seven.",
    ]
    assert Passages(tokens=4, overlap=0).cut(text, words) == [(0, 20), (21, 37)]
    assert Passages(tokens=9, overlap=0).cut("  \n ", words) == []


def test_a_long_sentence_is_cut_between_words() -> None:
    text = "a b c d e f g h. Short one."
    cut = Passages(tokens=3, overlap=1).cut(text, words)
    assert all(words([text[a:b]])[0] <= 3 for a, b in cut)
    assert "Short one." in [text[a:b] for a, b in cut]


@given(st.text(alphabet="ab .。茶\n", max_size=80), st.integers(1, 6), st.integers(0, 5))
def test_every_character_is_in_a_passage(text: str, tokens: int, overlap: int) -> None:
    def characters(texts: Sequence[str]) -> list[int]:
        return [len(one.strip()) for one in texts]

    cut = Passages(tokens, min(overlap, tokens - 1)).cut(text, characters)
    covered = {place for start, end in cut for place in range(start, end)}
    assert covered >= {place for place, one in enumerate(text) if not one.isspace()}
    assert all(text[a:b] == text[a:b].strip() for a, b in cut)
    assert cut == sorted(set(cut))
    assert all(end < later for (_, end), (_, later) in pairwise(cut))


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="tokens=0"):
        Passages(tokens=0)
    with pytest.raises(ConfigError, match="overlap=9 of passages with 9 tokens; choose 0 to 8"):
        Passages(tokens=9, overlap=9)


def test_what_has_no_words_is_cut_all_the_same() -> None:
    text = f"Logo: {'iVBORw0KGgo' * 300} The word is otter."
    spans = Passages(tokens=8, overlap=2).cut(text, lambda texts: [len(t.split()) for t in texts])
    assert max(end - start for start, end in spans) <= 16 * 8
    assert text[spans[-1][0] : spans[-1][1]].endswith("The word is otter.")
    assert "".join(text.split()) in "".join("".join(text[a:b].split()) for a, b in spans)
