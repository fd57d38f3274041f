"""Batches side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from manyheads.core.streams import in_streams, streams_on


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_values_come_in_the_order_of_the_items():
    def slow_first(item: int) -> int:
        time.sleep(0.05 / (item + 1))
        return item * item

    assert list(in_streams(slow_first, range(10), 4)) == [item * item for item in range(10)]


def test_streams_work_at_once():
    # Nobody passes before everybody has come: a deadlock, were they to work in turn.
    barrier = threading.Barrier(3, timeout=10)
    assert len(list(in_streams(lambda _: barrier.wait(), range(3), 3))) == 3


@pytest.mark.parametrize(("streams", "each"), [(1, 4), (2, 2), (3, 1), (4, 1), (8, 1)])
def test_streams_divide_the_threads(streams: int, each: int):
    seen = set(in_streams(lambda _: torch.get_num_threads(), range(16), streams))
    assert seen == {each}
    assert torch.get_num_threads() == 4


def test_threads_that_start_later_are_not_held_to_a_stream_s_share():
    list(in_streams(lambda _: None, range(8), 4))
    seen: list[int] = []
    later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert seen == [4]


def test_a_single_item_has_all_threads():
    assert list(in_streams(lambda _: torch.get_num_threads(), [0], 4)) == [4]
    assert list(in_streams(lambda item: item, [], 4)) == []


def test_an_error_is_raised_and_what_has_not_begun_never_does():
    begun: list[int] = []

    def fail(item: int) -> None:
        begun.append(item)
        time.sleep(0.01)
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 0"):
        list(in_streams(fail, range(100), 2))
    assert len(begun) < 10
    assert torch.get_num_threads() == 4


def test_one_stream_where_the_batches_are_not_on_the_cpu():
    assert streams_on(torch.device("cpu")) == 4
    assert streams_on(torch.device("cuda")) == 1
