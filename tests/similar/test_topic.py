"""The page of topics: one file, whole, whatever texts say."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.similar.shelf import collection
from tests.train.report.test_page import EVIL, Page

import manyheads as mh

pytest.importorskip("sklearn")


def test_the_page_of_topics(tmp_path: Path) -> None:
    texts, vectors, _ = collection(15)
    texts[0] = EVIL
    found = mh.topics(texts, vectors, 3)
    path = found.write_page(tmp_path / "topics.html", title=EVIL)
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags and "http" not in text
    assert page.tags.count("circle") == len(texts) + len(found.topics)  # points, and the table's
    assert page.headings[1:3] == ["Map", "Topics"]
    assert found.topics[0].words[0] in text and "绿茶" in text
    assert found.write_page(tmp_path / "again.html", title=EVIL).read_text() == text


@pytest.mark.parametrize("count", [1, 2, 8, 9])
def test_few_points(count: int, tmp_path: Path) -> None:
    texts, vectors, _ = collection(8)
    found = mh.topics(texts[:count], vectors[:count])
    text = found.write_page(tmp_path / "topics.html").read_text(encoding="utf-8")
    assert "nan" not in text.split("</style>")[-1] and text.count("<circle") == count + 1
