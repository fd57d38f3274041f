"""Layout: any mix of lengths, in any order."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from manyheads.core.layout import Layout
from manyheads.errors import LayoutError

lengths_of_a_batch = st.lists(st.integers(1, 9), min_size=1, max_size=12)


@given(lengths_of_a_batch)
def test_runs_cover_every_token_once_and_are_maximal(lengths: list[int]) -> None:
    runs = Layout(lengths).runs
    covered = [token for run in runs for token in range(run.start, run.stop)]
    assert covered == list(range(sum(lengths)))
    assert [run.length for run in runs for _ in range(run.count)] == lengths
    assert all(one.length != other.length for one, other in pairwise(runs))


@given(lengths_of_a_batch)
def test_owners_positions_and_offsets_say_where_each_token_lies(lengths: list[int]) -> None:
    layout = Layout(lengths)
    by_hand = [(owner, at) for owner, length in enumerate(lengths) for at in range(length)]
    assert layout.owners.tolist() == [owner for owner, _ in by_hand]
    assert layout.positions.tolist() == [at for _, at in by_hand]
    assert layout.offsets.tolist() == [sum(lengths[:i]) for i in range(len(lengths) + 1)]
    assert layout.starts == tuple(layout.offsets.tolist()[:-1])
    assert layout.tokens == len(by_hand)
    assert layout.longest == max(lengths)
    assert len(layout) == len(lengths)


@given(lengths_of_a_batch)
def test_slots_stand_in_the_padded_grid_without_collision(lengths: list[int]) -> None:
    layout = Layout(lengths)
    grid = torch.full((len(lengths) * max(lengths),), -1)
    grid[layout.slots] = torch.arange(layout.tokens)
    for row, start, length in zip(grid.view(len(lengths), -1), layout.starts, lengths, strict=True):
        assert row[:length].tolist() == list(range(start, start + length))
        assert (row[length:] == -1).all()


@given(lengths_of_a_batch)
def test_a_run_is_a_view_of_the_batch(lengths: list[int]) -> None:
    layout = Layout(lengths)
    x_TD = torch.arange(layout.tokens * 2.0).view(-1, 2)
    for run in layout.runs:
        view = run.view(x_TD)
        assert view.shape == (run.count, run.length, 2)
        assert view.data_ptr() == x_TD[run.start :].data_ptr()
        torch.testing.assert_close(view.flatten(0, 1), x_TD[run.start : run.stop])


@given(st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=5), min_size=1, max_size=5))
def test_flatten_lays_sequences_end_to_end(sequences: list[list[int]]) -> None:
    ids_T, layout = Layout.flatten(sequences)
    assert ids_T.dtype == torch.long
    assert [part.tolist() for part in ids_T.split(layout.lengths)] == sequences


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(LayoutError, match="0 sequences"):
        Layout([])


@pytest.mark.parametrize(
    ("lengths", "message"),
    [([3, 0, 2], "sequence 1 has length 0"), ([-2], "sequence 0 has length -2")],
)
def test_a_sequence_without_tokens_is_refused(lengths: list[int], message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        Layout(lengths)


def test_flatten_refuses_an_empty_sequence() -> None:
    with pytest.raises(LayoutError, match="sequence 1 has length 0"):
        Layout.flatten([[1, 2], []])


def test_check_names_both_counts() -> None:
    with pytest.raises(LayoutError, match="hidden states holds 4 tokens but its layout says 5"):
        Layout([2, 3]).check(torch.zeros(4, 8), "hidden states")
    Layout([2, 3]).check(torch.zeros(5, 8), "hidden states")


def test_derive_computes_once() -> None:
    layout, calls = Layout([2]), []
    for _ in range(3):
        assert layout.derive("key", lambda: calls.append(1) or "value") == "value"
    assert len(calls) == 1


def test_to_the_same_device_is_the_same_layout() -> None:
    layout = Layout([2, 3])
    assert layout.to("cpu") is layout
    assert layout.to("meta").lengths == layout.lengths
    assert layout.to("meta").offsets.device.type == "meta"


def test_a_layout_used_without_gradients_first_serves_training_too() -> None:
    layout = Layout([3, 2])
    with torch.inference_mode():
        derived = layout.derive("angles", lambda: torch.ones(5))
        kept = [layout.owners, layout.positions, layout.slots, layout.offsets, derived]
    assert not any(tensor.is_inference() for tensor in kept)
    weight = torch.ones(5, requires_grad=True)
    (weight * derived).sum().backward()
    assert weight.grad is not None


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([1, 4], "sequence 1 has 3 tokens and cannot have 4 global ones"),
        ([-1, 1], "sequence 0 has 2 tokens and cannot have -1 global ones"),
        ([1], "global_tokens has 1 numbers for 2 sequences"),
    ],
)
def test_global_tokens_that_do_not_exist_are_refused(counts: list[int], message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        Layout([2, 3], global_tokens=counts)
    assert Layout([2, 3], global_tokens=[0, 3]).to("meta").global_tokens == (0, 3)
