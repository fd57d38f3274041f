from __future__ import annotations

import pytest

from manyheads.errors import DataError
from manyheads.tasks.labels import index_labels, label_name, label_names, refuse_numbers

DESCRIBE = "reviews.csv, line {}".format


def test_text_labels_are_sorted_by_their_letters():
    assert label_names(["b", "a", "b", "c"]) == ("a", "b", "c")


def test_whole_numbers_are_sorted_by_size_and_not_by_their_digits():
    assert label_names([10, 9, 2, 10, -1]) == ("-1", "2", "9", "10")


def test_numbers_that_are_text_keep_the_order_of_text():
    assert label_names(["10", "9"]) == ("10", "9")


def test_truth_values_are_two_labels_false_first():
    assert label_names([True, False, True]) == ("False", "True")


def test_chinese_labels_keep_their_names():
    assert set(label_names(["正面", "负面", "正面"])) == {"正面", "负面"}
    assert label_name("正面") == "正面"


def test_the_order_of_the_rows_does_not_matter():
    values = ["z", "好", "a", "B", "é"]
    assert label_names(values) == label_names(values[::-1])


def test_labels_become_their_positions():
    assert index_labels([4, 0, 4], ("0", "4"), DESCRIBE) == [1, 0, 1]


def test_an_unknown_label_names_row_label_count_and_the_nearest_name():
    with pytest.raises(DataError) as caught:
        index_labels(["good", "bad", "goood", "goood", "awful"], ("bad", "good"), DESCRIBE)
    message = str(caught.value)
    assert "reviews.csv, line 2" in message
    assert "'goood'" in message and "Did you mean 'good'?" in message
    assert "3 such labels, 2 times this one" in message
    assert "\n" not in message


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_label_is_refused_with_its_row(missing: float | None):
    with pytest.raises(DataError, match=r"line 1 has no label"):
        refuse_numbers(["good", missing], DESCRIBE)


def test_fractional_numbers_are_no_classes():
    with pytest.raises(DataError, match=r"line 1: 0\.5.*Regression"):
        refuse_numbers([1, 0.5], DESCRIBE)


def test_whole_numbers_and_truth_values_are_classes():
    refuse_numbers([1, 0, True, "x"], DESCRIBE)
