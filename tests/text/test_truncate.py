import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.errors import RecipeError
from manyheads.text import Head, HeadTail, Tail, Truncation, Windows, truncation_from_json
from manyheads.text.truncate import Cut, tokens_kept

lengths = st.lists(st.integers(0, 60), min_size=1, max_size=2)
rooms = st.integers(1, 40)
fractions = st.floats(0, 1)


def held(cut: Cut) -> list[list[int]]:
    """The positions that a cut keeps, for each sequence."""
    return [[i for start, end in spans for i in range(start, end)] for spans in cut]


def policies(room: int, fraction: float, stride: int) -> list[Truncation]:
    return [Head(room), Tail(room), HeadTail(room, fraction), Windows(room, stride % room)]


@given(lengths, rooms, fractions, st.integers(0, 100))
def test_every_cut_is_in_order_within_bounds_and_within_the_room(
    lengths: list[int], room: int, fraction: float, stride: int
) -> None:
    for policy in policies(room, fraction, stride):
        for cut in policy.cuts(lengths, room):
            for positions, length in zip(held(cut), lengths, strict=True):
                assert positions == sorted(set(positions))
                assert all(0 <= position < length for position in positions)
            assert sum(map(len, held(cut))) <= room


@given(lengths, rooms, fractions, st.integers(0, 100))
def test_the_room_is_used_and_tokens_kept_counts_the_union(
    lengths: list[int], room: int, fraction: float, stride: int
) -> None:
    for policy in policies(room, fraction, stride):
        cuts = policy.cuts(lengths, room)
        union = {(i, p) for cut in cuts for i, ps in enumerate(held(cut)) for p in ps}
        assert tokens_kept(cuts) == len(union)
        assert len(union) >= min(room, sum(lengths))
        if not isinstance(policy, Windows):
            assert len(union) == min(room, sum(lengths))


@given(st.integers(0, 60), rooms, fractions)
def test_the_right_ends_are_kept(length: int, room: int, fraction: float) -> None:
    every = list(range(length))
    kept = min(room, length)
    assert held(Head(room).cuts([length], room)[0]) == [every[:kept]]
    assert held(Tail(room).cuts([length], room)[0]) == [every[length - kept :]]
    (both,) = held(HeadTail(room, fraction).cuts([length], room)[0])
    if length > room:
        head = round(room * fraction)
        assert both == every[:head] + every[length - (room - head) :]


@given(st.integers(0, 200), rooms, st.integers(0, 39))
def test_windows_cover_every_token_and_share_the_stride(
    length: int, room: int, stride: int
) -> None:
    stride %= room
    windows = [cut[0][0] for cut in Windows(room, stride).cuts([length], room)]
    assert windows[0][0] == 0
    assert windows[-1][1] == length
    for (_, end), (start, _) in pairwise(windows):
        assert end - start == stride
    assert all(end - start == room for start, end in windows[:-1])


@given(st.integers(0, 60), st.integers(0, 60), rooms, st.integers(0, 39))
def test_windows_over_a_pair_cover_the_longer_text(
    first: int, second: int, room: int, stride: int
) -> None:
    cuts = Windows(room, stride % room).cuts([first, second], room)
    longer = max(first, second)
    covered = [{p for cut in cuts for p in held(cut)[i]} for i in (0, 1)]
    assert longer in [len(c) for c, n in zip(covered, (first, second), strict=True) if n == longer]
    if 2 * min(first, second) <= room:
        assert sum(map(len, covered)) == first + second


def test_pairs_are_cut_longest_first() -> None:
    def kept(lengths: list[int], room: int) -> list[int]:
        return [len(positions) for positions in held(Head(room).cuts(lengths, room)[0])]

    assert kept([3, 20], 10) == [3, 7]
    assert kept([20, 3], 10) == [7, 3]
    assert kept([20, 20], 10) == [5, 5]
    assert kept([20, 19], 11) == [6, 5]
    assert kept([19, 20], 11) == [5, 6]


@pytest.mark.parametrize("policy", [Head(8), Tail(9), HeadTail(10, 0.25), Windows(11, 3)])
def test_json_round_trip(policy: Truncation) -> None:
    assert truncation_from_json(json.loads(json.dumps(policy.to_json()))) == policy


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "heads", "max_tokens": 3}, "Did you mean 'head'"),
        ({"kind": "head"}, "needs max_tokens"),
        ({"kind": "windows", "max_tokens": 3, "strid": 1}, "Did you mean 'stride'"),
        ({"kind": "head", "max_tokens": "3"}, "must be a whole number"),
        ({"kind": "head", "max_tokens": 3.5}, "must be a whole number"),
        ({"kind": "head_tail", "max_tokens": 3, "head_fraction": True}, "must be a number"),
        ({"max_tokens": 3}, "no kind None"),
    ],
)
def test_json_refuses_what_it_does_not_know(settings: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        truncation_from_json(settings)


def test_settings_out_of_range_are_refused() -> None:
    for build in (Head, Tail, HeadTail, Windows):
        with pytest.raises(RecipeError, match="choose at least 1"):
            build(0)
    with pytest.raises(RecipeError, match="between 0 and 1"):
        HeadTail(8, 1.5)
    for stride in (-1, 8):
        with pytest.raises(RecipeError, match="less than max_tokens=8"):
            Windows(8, stride)
    with pytest.raises(RecipeError, match="choose a smaller stride"):
        Windows(8, 7).cuts([100], 6)
