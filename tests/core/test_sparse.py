"""Sparse attention equals the dense formula, and its cost follows the length."""

from __future__ import annotations

from dataclasses import replace

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from manyheads.core import attend as ways
from manyheads.core import sparse
from manyheads.core.dense import Scoring
from manyheads.core.layout import Layout
from manyheads.core.mask import Blocks, GlobalWindow, Window

HEAD_DIM = 8
SCALE = HEAD_DIM**-0.5

sides = st.integers(0, 40)
windows = st.one_of(
    st.builds(Window, sides, sides), st.builds(GlobalWindow, sides, sides, st.integers(0, 5))
)
blocks = st.builds(
    Blocks,
    size=st.integers(1, 8),
    random=st.integers(0, 2),
    heads=st.just(4),
    positions=st.just(4096),
    seed=st.one_of(st.none(), st.integers(0, 9)),
)
heads_and_groups = st.sampled_from([(2, 2), (4, 2)])


def draw(tokens: int, heads: int, groups: int) -> tuple[Tensor, ...]:
    """Random queries (T, H, K), keys and values (T, G, K) that want gradients."""
    return tuple(
        torch.randn(tokens, count, HEAD_DIM).requires_grad_() for count in (heads, groups, groups)
    )


def assert_equal_with_gradients(
    found: Tensor, expected: Tensor, inputs: tuple[Tensor, ...]
) -> None:
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)
    upstream = torch.randn_like(expected)
    for one, other in zip(
        torch.autograd.grad((found * upstream).sum(), inputs),
        torch.autograd.grad((expected * upstream).sum(), inputs, retain_graph=True),
        strict=True,
    ):
        torch.testing.assert_close(one, other, atol=5e-5, rtol=1e-4)


def by_blocks(inputs: tuple[Tensor, ...], layout: Layout, scoring: Scoring) -> Tensor:
    """All sequences, of one length, by blocks."""
    q, k, v = (layout.runs[0].view(tensor) for tensor in inputs)
    plan = sparse.plan(scoring.reach, layout.longest, q)
    return sparse.by_blocks(q, k, v, plan, scoring).flatten(0, 1)


@given(count=st.integers(1, 3), length=st.integers(1, 400), reach=windows, shape=heads_and_groups)
def test_blocks_of_any_length_equal_the_reference(
    count: int, length: int, reach: Window | GlobalWindow, shape: tuple[int, int]
) -> None:
    """Also sequences within the window, within one block, and of global tokens alone."""
    layout, scoring = Layout([length] * count), Scoring(reach, SCALE)
    inputs = draw(layout.tokens, *shape)
    found = by_blocks(inputs, layout, scoring)
    expected = ways.reference(*inputs, layout, layout, scoring)
    assert_equal_with_gradients(found, expected, inputs)


@given(count=st.integers(1, 3), more=st.integers(1, 90), reach=blocks)
def test_blocks_with_random_ones_equal_the_reference(count: int, more: int, reach: Blocks) -> None:
    """Beyond what is short enough to see everything, and also where the last block is not full."""
    length = (5 + 2 * reach.random) * reach.size + more
    layout, scoring = Layout([length] * count), Scoring(reach, SCALE).over(length, None)
    inputs = draw(layout.tokens, 4, 4)
    found = by_blocks(inputs, layout, scoring)
    expected = ways.reference(*inputs, layout, layout, scoring)
    assert_equal_with_gradients(found, expected, inputs)


@given(lengths=st.lists(st.integers(1, 200), min_size=1, max_size=5), reach=blocks)
def test_short_and_long_sequences_of_blocks_share_a_batch(
    lengths: list[int], reach: Blocks
) -> None:
    layout, scoring = Layout(lengths), Scoring(reach, SCALE)
    inputs = draw(layout.tokens, 4, 4)
    expected = ways.reference(*inputs, layout, layout, scoring)
    for way in (ways.attend, ways.by_runs):
        assert_equal_with_gradients(way(*inputs, layout, layout, scoring), expected, inputs)
    for start, length in zip(layout.starts, lengths, strict=True):
        one, alone = slice(start, start + length), Layout([length])
        with torch.no_grad():
            single = ways.attend(*(tensor[one] for tensor in inputs), alone, alone, scoring)
        torch.testing.assert_close(single, expected[one], atol=2e-5, rtol=1e-4)


@given(length=st.integers(1, 300), reach=windows)
def test_a_rate_too_small_to_drop_anything_changes_nothing(
    length: int, reach: Window | GlobalWindow
) -> None:
    layout = Layout([length])
    inputs = draw(length, 4, 2)
    found = by_blocks(inputs, layout, Scoring(reach, SCALE, 1e-9))
    expected = ways.reference(*inputs, layout, layout, Scoring(reach, SCALE))
    assert_equal_with_gradients(found, expected, inputs)


@given(
    sequences=st.lists(
        st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, min(n, 4)))),
        min_size=1,
        max_size=5,
    ),
    reach=st.builds(GlobalWindow, st.integers(0, 20), st.integers(0, 20)),
)
def test_every_sequence_of_a_batch_may_have_global_tokens_of_its_own(
    sequences: list[tuple[int, int]], reach: GlobalWindow
) -> None:
    lengths, counts = zip(*sequences, strict=True)
    layout, scoring = Layout(lengths, global_tokens=counts), Scoring(reach, SCALE)
    inputs = draw(layout.tokens, 4, 2)
    expected = ways.reference(*inputs, layout, layout, scoring)
    for way in (ways.attend, ways.by_runs):
        assert_equal_with_gradients(way(*inputs, layout, layout, scoring), expected, inputs)
    for start, length, count in zip(layout.starts, lengths, counts, strict=True):
        own = GlobalWindow(reach.left, reach.right, count)
        one, alone = slice(start, start + length), Layout([length])
        with torch.no_grad():
            single = ways.attend(
                *(tensor[one] for tensor in inputs), alone, alone, Scoring(own, SCALE)
            )
        torch.testing.assert_close(single, expected[one], atol=2e-5, rtol=1e-4)


def test_what_is_kept_for_the_gradient_grows_with_the_length_alone() -> None:
    """Four times the tokens keep four times the memory, not sixteen times."""

    def kept(length: int, reach: Window | GlobalWindow | Blocks) -> int:
        layout = Layout([length])
        inputs = draw(length, 2, 2)
        storages: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            out = ways.attend(*inputs, layout, layout, Scoring(reach, SCALE))
            out.sum().backward()
        return sum(storages.values())

    still = Blocks(size=32, random=1, heads=2, positions=8192)
    for reach in (Window(64, 64), GlobalWindow(64, 64), still, replace(still, seed=0)):
        assert kept(8192, reach) < 1.1 * 4 * kept(2048, reach)
