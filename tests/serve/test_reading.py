"""Texts become tokens in the service itself, as the model's own reader makes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from manyheads.errors import TextError, TooLong, TooMany
from manyheads.serve.desk import reading_card
from manyheads.serve.reading import Cut, TextReader
from manyheads.text import Cleaning, Head, WordPiece, learn_tokenizer

CARD = reading_card(
    learn_tokenizer(["good bad food 好吃 不好"] * 3, WordPiece(vocabulary=60)),
    Cleaning(),
    Head(6),
)
MANY = ["good food"] * 2_500


def reading(work: Callable[[TextReader], Coroutine[Any, Any, Any]]) -> Any:
    with ThreadPoolExecutor(2) as threads:
        return asyncio.run(work(TextReader(CARD, threads, 3_000)))


def test_many_are_read_in_parts_and_stay_in_order() -> None:
    texts = [f"{'good ' * (number % 7)}food" for number in range(2_500)]
    many = reading(lambda reader: reader.read(texts, texts))
    few = reading(lambda reader: reader.read(texts[:14], texts[:14]))
    assert many[:14] == few and many[2_450:2_464] == few


@pytest.mark.parametrize("at", [0, 999, 1_000, 2_499])
def test_a_text_is_named_by_its_number_in_the_request(at: int) -> None:
    broken: list[Any] = list(MANY)
    broken[at] = 7
    with pytest.raises(TextError, match=f"^text {at + 1} is 7, which is not a string"):
        reading(lambda reader: reader.read(broken))
    with pytest.raises(TextError, match=f"^second text {at + 1} is 7"):
        reading(lambda reader: reader.read(MANY, broken))
    broken[at] = "good " * 9
    with pytest.raises(TooLong, match=f"^text {at + 1} has 11 tokens and the model reads 6"):
        reading(lambda reader: reader.read(broken, cut=Cut.ERROR))


def test_few_are_read_at_once_and_named_alike() -> None:
    with pytest.raises(TextError, match=r"^text 2 is None"):
        reading(lambda reader: reader.read(["good", None]))


def test_there_is_a_most() -> None:
    for work in (
        lambda reader: reader.read(["good"] * 3_001),
        lambda reader: reader.count(["good"] * 3_001),
    ):
        with pytest.raises(TooMany, match=r"^3,001 texts exceed the 3,000 of a request"):
            reading(work)
    assert len(reading(lambda reader: reader.read(["good"] * 3_000))) == 3_000
