from __future__ import annotations

from typing import Any

import pytest

from manyheads.errors import DataError
from manyheads.text.annotation import hold_tags, tagged_rows
from manyheads.text.tagged import Tagged

TEXT = "Ada Byron (1815) lived in London."
CHINESE = "叶老桂在北京"


def read(text: str, label: Any) -> Tagged:
    return tagged_rows([text], [label], lambda row: f"table, line {row + 2}")[0]


def entities(tagged: Tagged) -> list[tuple[str, str]]:
    pairs = zip(tagged.spelled(), tagged.tags, strict=True)
    return [(word, tag) for word, tag in pairs if tag != "O"]


ADA = [("Ada", "B-PER"), ("Byron", "I-PER"), ("London", "B-LOC")]


@pytest.mark.parametrize(
    "label",
    [
        [[0, 9, "PER"], [26, 32, "LOC"]],
        [(26, 32, "LOC"), (0, 9, "PER")],
        [
            {"start": 0, "end": 9, "label": "PER", "text": "Ada Byron"},
            {"start": 26, "end": 32, "type": "LOC"},
        ],
        [
            {"start": 0, "end": 9, "entity_group": "PER", "score": 0.9},
            {"start": 26, "end": 32, "tag": "LOC"},
        ],
        {"PER": {"Ada Byron": [[0, 8]]}, "LOC": {"London": [[26, 31]]}},
    ],
)
def test_spans_of_all_forms(label: Any) -> None:
    tagged = read(TEXT, label)
    assert entities(tagged) == ADA
    assert tagged.spelled() == ["Ada", "Byron", "(", "1815", ")", "lived", "in", "London", "."]


@pytest.mark.parametrize("label", ["B-PER I-PER O O O B-LOC", ["B-PER", "I-PER", *"OOO", "B-LOC"]])
def test_a_tag_for_each_word_between_spaces(label: Any) -> None:
    tagged = read(TEXT, label)
    assert tagged.spelled() == TEXT.split()
    assert entities(tagged) == [*ADA[:2], ("London.", "B-LOC")]


def test_a_tag_for_each_character() -> None:
    tagged = read(CHINESE, ["B-name", "I-name", "I-name", "O", "B-addr", "I-addr"])
    assert tagged.spelled() == list(CHINESE)
    same = read(CHINESE, {"name": {"叶老桂": [[0, 2]]}, "addr": {"北京": [[4, 5]]}})
    assert same == tagged


def test_a_span_within_a_word_cuts_it() -> None:
    tagged = read("anti-London mood", [[5, 11, "LOC"]])
    assert tagged.spelled() == ["anti-", "London", "mood"]
    assert tagged.tags == ("O", "B-LOC", "O")


def test_spans_that_touch_stay_two_and_spans_of_spaces_are_none() -> None:
    assert read("ab", [[0, 1, "X"], [1, 2, "X"]]).tags == ("B-X", "B-X")
    assert read("a  b", [[1, 3, "X"]]).tags == ("O", "O")
    assert read("a b ", [[0, 2, "X"]]).tags == ("B-X", "O")  # with the space behind it


def test_no_spans_and_no_text() -> None:
    assert set(read(TEXT, []).tags) == {"O"}
    assert read("", []).words == ()
    tagged = Tagged("a", ((0, 1),), ("O",))
    assert read("whatever", tagged) is tagged


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (None, "table, line 2 has no tags"),
        (["O"], r"table, line 2 has 1 tags for 6 words between spaces \(33 characters\)"),
        ("O O", "has 2 tags for 6 words"),
        ([[0, 9, "PER"], [4, 12, "LOC"]], r"the spans 0:9 \(PER\) and 4:12 \(LOC\) overlap"),
        ([[30, 34, "X"]], r"the span 30:34 \(X\) is not within the 33 characters"),
        ([[3, 3, "X"]], r"the span 3:3 \(X\) is not within"),
        ([[-1, 3, "X"]], "is not within"),
        ([[0, 3]], "are no tags and no spans"),
        ([{"start": 0, "label": "X"}], r"are no tags and no spans \('end'\)"),
        ({"PER": ["Ada"]}, "are no tags and no spans"),
        (7, r"7 are no tags and no spans \(a int\)"),
        ([[0, 3, None]], r"are no tags and no spans \(None is no type of a span\)"),
        ([{"start": 0, "end": 3, "label": " "}], "' ' is no type of a span"),
        ([[0.9, 2.9, "X"]], r"\(0.9 is no place of a character\)"),
    ],
)
def test_what_cannot_be_is_refused_with_its_row(label: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(TEXT, label)


def test_a_span_without_a_type_is_refused() -> None:
    with pytest.raises(DataError, match="are no tags and no spans"):
        read(TEXT, [{"start": 0, "end": 3}])


@pytest.mark.parametrize(
    ("labels", "are"),
    [
        ([["O", "B-PER"], []], True),
        ([[[0, 3, "PER"]], []], True),
        ([[{"start": 0, "end": 3, "label": "PER"}]], True),
        ([{"name": {"叶": [[0, 0]]}}], True),
        (["O O B-PER", "O O"], True),
        ([Tagged("", (), ())], True),
        (["good", "bad"], False),
        (["O", "B-12"], False),
        ([["a", "b"], ["a"]], False),
        ([["DT", "NN"]], False),
        ([[["a", "b"]]], False),
        ([[[1, 2, 3]]], False),
        ([{"start": 3}], False),
        ([1, 2], False),
        ([], False),
        ([[], []], False),
    ],
)
def test_whether_labels_are_tags_or_spans(labels: list[Any], are: bool) -> None:
    assert hold_tags(labels) is are
