"""Pooling, each sequence by itself."""

from __future__ import annotations

import pytest
import torch

from manyheads.core.layout import Layout
from manyheads.core.pooling import behind, encode_pooled, pool
from manyheads.core.spec import Pooling, Spec
from manyheads.errors import LayoutError

from . import small

FORMULAS = {
    Pooling.FIRST: lambda x: x[0],
    Pooling.LAST: lambda x: x[-1],
    Pooling.MAX: lambda x: x.amax(0),
    Pooling.MEAN: lambda x: x.mean(0),
    Pooling.ROOT_MEAN: lambda x: x.sum(0) / len(x) ** 0.5,
    Pooling.LATER_MORE: lambda x: (
        sum(i * row for i, row in enumerate(x, 1)) / sum(range(1, len(x) + 1))
    ),
}
LENGTHS = [3, 1, 4]


def by_hand(hidden_TD: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    parts = hidden_TD.split(LENGTHS)
    return torch.stack([FORMULAS[pooling](part) for part in parts])


@pytest.mark.parametrize("pooling", Pooling)
def test_pool_takes_each_sequence_by_itself(pooling: Pooling) -> None:
    hidden_TD = torch.randn(8, 6, requires_grad=True)
    pooled = pool(hidden_TD, Layout(LENGTHS), pooling)
    torch.testing.assert_close(pooled, by_hand(hidden_TD, pooling))
    upstream = torch.randn_like(pooled)
    (found,) = torch.autograd.grad((pooled * upstream).sum(), hidden_TD)
    (expected,) = torch.autograd.grad((by_hand(hidden_TD, pooling) * upstream).sum(), hidden_TD)
    torch.testing.assert_close(found, expected)


def test_pool_refuses_tokens_of_another_batch() -> None:
    with pytest.raises(LayoutError, match="7 tokens but its layout says 8"):
        pool(torch.zeros(7, 6), Layout(LENGTHS), Pooling.MEAN)


@pytest.mark.parametrize("pooling", Pooling)
@pytest.mark.parametrize("spec", [small.post_norm(), small.pre_norm()], ids=["post", "pre"])
def test_encoding_for_a_head_is_pooling_what_was_encoded(spec: Spec, pooling: Pooling) -> None:
    """The shortcut, a last layer of pooled tokens alone, changes neither values nor learning."""
    model, layout = small.make(spec), Layout(LENGTHS)
    ids_T = torch.randint(0, small.VOCABULARY, (8,))
    wanted = list(model.parameters())
    found = encode_pooled(model, ids_T, layout, None, pooling)
    expected = pool(model.encode(ids_T, layout), layout, pooling)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    upstream = torch.randn_like(found)
    for gradient, by_detour in zip(
        torch.autograd.grad((found * upstream).sum(), wanted),
        torch.autograd.grad((expected * upstream).sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(gradient, by_detour, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("pooling", Pooling)
@pytest.mark.parametrize("lengths", [[3, 1, 4], [15], [16], [9, 7], [9, 8]])
def test_batches_are_filled_up_where_nothing_is_learnt(
    monkeypatch: pytest.MonkeyPatch, pooling: Pooling, lengths: list[int]
) -> None:
    """So that few kernels are compiled; nobody sees the filler."""
    model, layout = small.make(small.post_norm()), Layout(lengths)
    ids_T = torch.randint(0, small.VOCABULARY, (layout.tokens,))
    seen: list[int] = []
    encode = model.encode

    def watched(ids_T: torch.Tensor, *rest: object, **named: object) -> torch.Tensor:
        seen.append(len(ids_T))
        return encode(ids_T, *rest, **named)

    monkeypatch.setattr(model, "encode", watched)
    with torch.inference_mode():
        found = encode_pooled(model, ids_T, layout, torch.zeros_like(ids_T), pooling)
    expected = encode_pooled(model, ids_T, layout, torch.zeros_like(ids_T), pooling)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert seen == [-(-layout.tokens // 16) * 16, layout.tokens]


def test_what_is_left_behind_the_first_tokens_keeps_its_positions() -> None:
    hidden_TD = torch.arange(8.0)[:, None]
    left_TD, layout = behind(hidden_TD, Layout(LENGTHS), 2)
    assert left_TD[:, 0].tolist() == [2, 3, 6, 7]  # the only token of the second one stays
    assert layout.lengths == (1, 1, 2)
    assert layout.positions.tolist() == [2, 0, 2, 3]
    weighted = pool(left_TD, layout, Pooling.LATER_MORE)[:, 0].tolist()
    assert weighted == pytest.approx([2, 3, (3 * 6 + 4 * 7) / 7])
