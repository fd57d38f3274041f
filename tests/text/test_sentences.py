"""Sentences: their borders in English and Chinese, and nothing lost between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.text import joined, packed, sentences

ALPHABET = st.text(alphabet="aB.!? \n\"'()（）“”。！？；…，你好3", max_size=40)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n", [" \n"]),
        ("One. Two! Three?", ["One. ", "Two! ", "Three?"]),
        ("Dr. No met Mr. J. R. Smith. He left.", ["Dr. No met Mr. J. R. Smith. ", "He left."]),
        (
            "It costs 3.5, i.e. nothing. See Fig. 3.",
            ["It costs 3.5, i.e. nothing. ", "See Fig. 3."],
        ),
        ("The U.S. is big. At 6 p.m. we ate.", ["The U.S. is big. ", "At 6 p.m. we ate."]),
        (
            "The U.S. Senate met in the U.K. It sat.",
            ["The U.S. Senate met in the U.K. ", "It sat."],
        ),
        ("Das gilt z.B. Hunden bzw. Katzen. Gut.", ["Das gilt z.B. Hunden bzw. Katzen. ", "Gut."]),
        ("I said no. Then I left.", ["I said no. ", "Then I left."]),
        ("No. 5 is alive. So am I. Good.", ["No. 5 is alive. ", "So am I. ", "Good."]),
        ('He said "Go." She went.', ['He said "Go." ', "She went."]),
        ("He (Bob. A man.) left. Bye.", ["He (Bob. A man.) left. ", "Bye."]),
        ("(It was late. So late.) He left.", ["(It was late. So late.) ", "He left."]),
        ("Wait... what? Now!  \n\nYes", ["Wait... what? ", "Now!  \n\n", "Yes"]),
        ("See www.example.com. It works.", ["See www.example.com. ", "It works."]),
        ("他来了。他走了！真的？好；不错。", ["他来了。", "他走了！", "真的？", "好；", "不错。"]),
        ("他说：“我来了。”然后走了。", ["他说：“我来了。”", "然后走了。"]),
        ("“你好！”，他说。再见。", ["“你好！”，他说。", "再见。"]),
        ("他（真的。是他！）走了。好。", ["他（真的。是他！）走了。", "好。"]),
        ("等等……走吧。 OK. 好。", ["等等……", "走吧。 ", "OK. ", "好。"]),
        ("First line\nsecond line", ["First line\n", "second line"]),
    ],
)
def test_borders(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(ALPHABET)
def test_the_pieces_are_the_text(text: str) -> None:
    pieces = sentences(text)
    assert "".join(pieces) == text
    assert all(pieces)


@given(ALPHABET)
def test_what_is_written_as_it_was_is_the_text(text: str) -> None:
    """Up to the spaces that Chinese does not need and English does."""
    pieces = sentences(text)
    again = joined(pieces, [piece.strip() for piece in pieces])
    assert "".join(again.split()) == "".join(text.split())
    assert again.count("\n") == text.count("\n")


def test_spaces_follow_the_language_that_is_written() -> None:
    assert joined(["你好。", "再见！"], ["Hello.", "Bye!"]) == "Hello. Bye!"
    assert joined(["Hello. ", "Bye!\n", "\n", " So"], ["你好。", "再见！", "", "好"]) == (
        "你好。再见！\n\n 好"
    )


def test_a_long_bracket_is_no_aside() -> None:
    inside = "It was late. " * 30
    assert len(sentences(f"He left ({inside}) at last.")) > 20


@given(st.lists(st.text(alphabet="ab \n", min_size=1, max_size=12), max_size=8), st.integers(1, 9))
def test_packed_texts_fit_and_hold_everything(pieces: list[str], limit: int) -> None:
    texts = packed(pieces, lambda text: len(text) <= limit)
    assert "".join(texts) == "".join(pieces)
    assert all(0 < len(text) <= limit for text in texts)


def test_as_few_texts_as_hold_all() -> None:
    assert packed(["aa. ", "bb. ", "cc. "], lambda text: len(text) <= 8) == ["aa. bb. ", "cc. "]
    assert packed(["aaa bbb ccc ddd. "], lambda text: len(text) <= 9) == ["aaa bbb ", "ccc ddd. "]


def test_what_never_fits_is_an_error() -> None:
    with pytest.raises(ValueError, match="alone fits"):
        packed(["abc"], lambda text: False)
