from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from manyheads.core.layout import Layout
from manyheads.tasks import Batch
from manyheads.tasks.augment import drop_tokens


def batch_of(lengths: list[int]) -> Batch:
    """Ids that say which piece and which place they are from."""
    ids = torch.tensor([1000 * n + i for n, length in enumerate(lengths) for i in range(length)])
    return Batch(
        rows=tuple(range(len(lengths))),
        ids=ids,
        segments=ids % 2,
        layout=Layout(lengths),
        owners=torch.arange(len(lengths)),
        targets=torch.zeros(len(lengths)),
    )


@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=8),
    share=st.floats(0.0, 0.99),
    seed=st.integers(0, 1000),
)
def test_what_is_left_keeps_its_order_its_piece_and_both_ends(
    lengths: list[int], share: float, seed: int
):
    torch.manual_seed(seed)
    left = drop_tokens(batch_of(lengths), share)
    assert len(left.layout) == len(lengths)
    pieces = left.ids.split(list(left.layout.lengths))
    for number, (piece, length) in enumerate(zip(pieces, lengths, strict=True)):
        places = [i - 1000 * number for i in piece.tolist()]
        assert places == sorted(set(places))
        assert places[0] == 0 and places[-1] == length - 1
    assert torch.equal(left.segments, left.ids % 2)
    assert left.layout.tokens == len(left.ids)


def test_the_share_is_about_right():
    left = drop_tokens(batch_of([1002] * 10), 0.3)
    assert left.layout.tokens == pytest.approx(10 * (2 + 700), rel=0.03)


def test_a_share_of_nothing_drops_nothing():
    batch = batch_of([3, 5])
    assert torch.equal(drop_tokens(batch, 0.0).ids, batch.ids)


def test_the_generator_of_torch_decides():
    torch.manual_seed(4)
    first = drop_tokens(batch_of([50, 60]), 0.5).ids
    second = drop_tokens(batch_of([50, 60]), 0.5).ids
    torch.manual_seed(4)
    assert torch.equal(drop_tokens(batch_of([50, 60]), 0.5).ids, first)
    assert not torch.equal(first, second)
