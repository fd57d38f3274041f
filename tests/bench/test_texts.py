"""Texts to ask with."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from manyheads.bench.texts import built_in, from_file, shuffled
from manyheads.errors import DataError


def test_built_in_texts_are_of_many_lengths_in_two_languages() -> None:
    texts = built_in()
    lengths = sorted(map(len, texts))
    assert lengths[0] < 10 and lengths[-1] > 500
    chinese = [text for text in texts if "。" in text]
    assert len(texts) / 4 < len(chinese) < len(texts) / 2


def test_all_are_asked_before_one_comes_again() -> None:
    texts = [str(number) for number in range(50)]
    first, second = (list(islice(shuffled(texts, seed), 100)) for seed in (1, 2))
    assert sorted(first[:50]) == sorted(first[50:]) == sorted(texts)
    assert first[:50] != first[50:] and first != second
    assert first == list(islice(shuffled(texts, 1), 100))


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("\ufeffone\n\n 二 \r\nthree", encoding="utf-8")
    assert from_file(path) == ["one", "二", "three"]
    path.write_text(" \n")
    with pytest.raises(DataError, match="has no text"):
        from_file(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="cannot be read"):
        from_file(path)
    with pytest.raises(DataError, match="cannot be read"):
        from_file(tmp_path / "nowhere")
