from __future__ import annotations

from manyheads.tasks.tagging.baseline import by_names, by_words

TRAIN = [["New", "York", "Times", "sued", "York"], ["York", "met", "May", "in", "May"], ["may"]]
TAGS = [
    ["B-ORG", "I-ORG", "I-ORG", "O", "B-LOC"],
    ["B-LOC", "O", "B-PER", "O", "O"],
    ["O"],
]


def test_the_longest_name_is_found_as_it_was_mostly_meant() -> None:
    asked = [["the", "New", "York", "Times", "of", "York"], ["New", "York"], []]
    assert by_names(TRAIN, TAGS, asked) == [
        ["O", "B-ORG", "I-ORG", "I-ORG", "O", "B-LOC"],
        ["O", "B-LOC"],
        [],
    ]


def test_a_name_that_mostly_was_none_is_none() -> None:
    assert by_names(TRAIN, TAGS, [["May"]]) == [["B-PER"]]  # one of two
    train, tags = [*TRAIN, ["May"], ["May"]], [*TAGS, ["O"], ["O"]]
    assert by_names(train, tags, [["May"]]) == [["O"]]


def test_without_names_none_is_found() -> None:
    assert by_names([["a"]], [["O"]], [["a", "b"]]) == [["O", "O"]]


def test_words_are_what_they_mostly_were() -> None:
    train = [["the", "dog", "runs"], ["the", "run"], ["dog"], ["cat"]]
    tags = [["DT", "NN", "VB"], ["DT", "NN"], ["NN"], ["NN"]]
    assert by_words(train, tags, [["the", "dog", "barks"]]) == [["DT", "NN", "NN"]]
    often = [["a", "a", "b", "b"]]
    assert by_words(often, [["X", "X", "Y", "Y"]], [["b", "c"]]) == [["Y", "X"]]
