from __future__ import annotations

import pytest

from manyheads.tasks.answering.baseline import nearest_sentences

CONTEXT = (
    "The museum opened in 1903. The museum shows stamps and coins. Its founder, Ada Byron, sold "
    "the museum to the city. The city closed it."
)


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("When was the museum opened?", "The museum opened in 1903."),
        ("Who was its founder?", "Its founder, Ada Byron, sold the museum to the city."),
        ("Who CLOSED it?", "The city closed it."),
        ("What of Coins & stamps?", "The museum shows stamps and coins."),
    ],
)
def test_the_sentence_with_the_rarest_words_of_the_question(question: str, found: str) -> None:
    assert nearest_sentences([question], [CONTEXT]) == [found]


def test_of_equal_ones_the_shortest() -> None:
    context = "The red ball was in the garden. The red ball. The red ball was there."
    assert nearest_sentences(["red ball"], [context]) == ["The red ball."]
    assert nearest_sentences(["nothing of it"], [context]) == ["The red ball."]


def test_chinese_words_are_characters() -> None:
    context = "图书馆建于1903年。馆内有邮票。它在北京。"
    found = nearest_sentences(["图书馆建于何时？", "邮票在哪里"], [context] * 2)
    assert found == ["图书馆建于1903年。", "馆内有邮票。"]


def test_an_empty_context_has_none() -> None:
    assert nearest_sentences(["who"], ["  "]) == [""]
    assert nearest_sentences([], []) == []
