"""Words that a text is found by."""

from __future__ import annotations

from manyheads.text.words import words_of


def test_words_of_any_script() -> None:
    assert words_of("Straße, C3PO! don't") == ["strasse", "c3po", "don", "t"]
    assert words_of("去图书馆 now") == ["去", "图", "书", "馆", "去图", "图书", "书馆", "now"]
    assert words_of("ＡＢＣ ...") == ["abc"]
