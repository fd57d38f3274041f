"""Some of many samples."""

from __future__ import annotations

from manyheads.train.draws import drawn


def test_all_in_their_order_where_there_are_no_more() -> None:
    assert drawn("abc", 3, "seed") == drawn("abc", 9, "other") == ["a", "b", "c"]


def test_as_many_as_are_wanted_from_everywhere() -> None:
    samples = list(range(10_000))
    found = drawn(samples, 100, "seed")
    assert len(set(found)) == 100 and found == sorted(found)
    assert found[0] < 1000 and found[-1] > 9000
    assert drawn(samples, 100, "seed") == found != drawn(samples, 100, "other")
