import builtins
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.errors import MissingExtra
from manyheads.text import Segmenter


@pytest.fixture(scope="module")
def segment() -> Segmenter:
    pytest.importorskip("jieba")
    return Segmenter()


def test_chinese_words_with_their_places(segment: Segmenter) -> None:
    assert segment("我来到北京清华大学") == [
        ("我", 0, 1),
        ("来到", 1, 3),
        ("北京", 3, 5),
        ("清华大学", 5, 9),
    ]


def test_words_of_ones_own_are_kept_whole() -> None:
    pytest.importorskip("jieba")
    assert "摩洛克机" in [word.text for word in Segmenter(["摩洛克机"])("这台摩洛克机很好")]
    assert "摩洛克机" not in [word.text for word in Segmenter()("这台摩洛克机很好")]


@settings(deadline=None, max_examples=50)
@given(text=st.text(st.sampled_from("酒店的服务很不错，。abc 12\n\t！é🎉")))
def test_words_join_to_the_text(text: str, segment: Segmenter) -> None:
    words = segment(text)
    assert "".join(word.text for word in words) == text
    assert all(text[word.start : word.end] == word.text for word in words)


@pytest.fixture
def without_jieba(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    real_import = builtins.__import__

    def refuse(name: str, *rest: object) -> object:
        if name == "jieba":
            raise ImportError(name)
        return real_import(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", refuse)
    yield


@pytest.mark.usefixtures("without_jieba")
def test_without_jieba_the_remedy_is_named() -> None:
    with pytest.raises(MissingExtra, match=r"manyheads\[zh\]"):
        Segmenter()
