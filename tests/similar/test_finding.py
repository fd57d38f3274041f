"""Topics of texts: clusters, their number, words, examples and outliers."""

from __future__ import annotations

import numpy as np
import pytest
from tests.similar.shelf import ABOUT, collection

import manyheads as mh
from manyheads.errors import ConfigError
from manyheads.similar.naming import topic_words

pytest.importorskip("sklearn")


def test_as_many_as_stand_apart() -> None:
    pytest.importorskip("jieba")
    texts, vectors, about = collection()
    found = mh.topics(texts, vectors)
    assert len(found.topics) == 3 and found.reason.startswith("3, which have the highest mean")
    kept = found.labels >= 0
    assert kept.mean() > 0.9 and (found.labels[kept] == about[kept]).all()
    for topic, words in zip(found.topics, ABOUT.values(), strict=True):
        assert set(topic.words[:3]) <= set(words) - {"the", "of", "我们", "今天"}
        assert topic.size == (found.labels == topic.number).sum()
        assert {about[row] for row in topic.examples} == {topic.number}
    assert "茶" in str(found) and f"{len(found.outliers):,}  outliers" in str(found)
    again = mh.topics(texts, vectors)
    assert again.topics == found.topics and (again.labels == found.labels).all()


def test_as_many_as_asked_for() -> None:
    texts, vectors, _ = collection(8)
    for n in (1, 2, 5):
        found = mh.topics(texts, vectors, n)
        assert len(found.topics) == n and found.reason == f"{n} as asked for"
        assert sum(one.size for one in found.topics) + len(found.outliers) == len(texts)
        sizes = [one.size + 0 for one in found.topics]
        assert all(sizes) and all(one.words and one.examples for one in found.topics)
    for n in (0, len(texts) + 1):
        with pytest.raises(ConfigError, match=f"n={n} topics"):
            mh.topics(texts, vectors, n)


def test_what_is_far_from_all_is_an_outlier() -> None:
    texts, vectors, _ = collection(20)
    vectors[7] = -np.eye(8)[0] - np.eye(8)[5]
    found = mh.topics(texts, vectors, 3)
    assert 7 in found.outliers and found.labels[7] == -1
    assert all(7 not in one.examples for one in found.topics)


def test_examples_are_not_all_the_same() -> None:
    texts, vectors, _ = collection(10)
    found = mh.topics(texts, vectors, 1)
    chosen = found.vectors[list(found.topics[0].examples)]
    near = chosen @ chosen.T - np.eye(len(chosen))
    assert len(chosen) > 1 and near.max() < 0.9


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_few_texts(count: int) -> None:
    texts, vectors, _ = collection(8)
    found = mh.topics(texts[:count], vectors[:count])
    assert len(found.topics) == 1 and "too few" in found.reason
    same = mh.topics([f"{text}!" for text in texts[:count]], np.ones((count, 4), np.float32))
    assert len(same.topics) == 1 and same.outliers == []


def test_words_that_stand_everywhere_name_nothing() -> None:
    texts = ["the cat and the dog", "a cat, the cat", "the lake and a boat", "the lake the lake"]
    named = topic_words([*texts, "zebra zebra"], np.array([0, 0, 1, 1, -1]), 2, 3)
    assert named == [("cat",), ("lake",)]
    assert topic_words(["one only"], np.zeros(1, int), 1, 3) == [("one", "only")]


def test_chinese_words() -> None:
    pytest.importorskip("jieba")
    texts = ["我们喜欢喝绿茶", "绿茶很好喝", "我们去图书馆看书", "图书馆关门了"]
    named = topic_words(texts, np.array([0, 0, 1, 1]), 2, 2)
    assert named[0][0] == "绿茶" and named[1][0] == "图书馆"


def test_one_text_many_times_is_one_topic() -> None:
    found = mh.topics(["a cat"] * 30, np.ones((30, 4), dtype=np.float32))
    assert found.reason == "1, because 30 texts, 1 of them different, are too few to be told apart"
