"""Every way of attention equals the reference, and the reference equals the formula."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from manyheads.core import attend as ways
from manyheads.core.dense import Scoring
from manyheads.core.layout import Layout
from manyheads.core.mask import Causal, Full, GlobalWindow, Reach, Window

HEAD_DIM = 8
SCALE = HEAD_DIM**-0.5
WAYS = {"by_runs": ways.by_runs, "padded": ways.padded, "attend": ways.attend}

batches = st.lists(st.integers(1, 12), min_size=1, max_size=8)
reaches = st.one_of(
    st.just(Full()),
    st.just(Causal()),
    st.builds(Window, st.integers(0, 6), st.integers(0, 6)),
    st.builds(GlobalWindow, st.integers(0, 6), st.integers(0, 6), st.integers(0, 3)),
)
heads_and_groups = st.sampled_from([(1, 1), (4, 4), (4, 2), (4, 1), (6, 3)])


def draw(layout: Layout, heads: int, groups: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Random queries (T, H, K), keys and values (T, G, K) that want gradients."""
    generator = torch.Generator().manual_seed(seed)
    q_THK, k_TGK, v_TGK = (
        torch.randn(layout.tokens, count, HEAD_DIM, generator=generator).requires_grad_()
        for count in (heads, groups, groups)
    )
    return q_THK, k_TGK, v_TGK


def draw_bias(layout: Layout, heads: int) -> Tensor:
    return torch.randn(heads, layout.longest, layout.longest).requires_grad_()


def by_formula(
    q_THK: Tensor, k_TGK: Tensor, v_TGK: Tensor, layout: Layout, reach: Reach, bias: Tensor | None
) -> Tensor:
    """softmax(QKᵀ·scale + bias) V in plain Python: one query, one head at a time."""
    context = torch.zeros_like(q_THK)
    per_group = q_THK.shape[1] // k_TGK.shape[1]
    for start, length in zip(layout.starts, layout.lengths, strict=True):
        for head in range(q_THK.shape[1]):
            keys = k_TGK[start : start + length, head // per_group]
            values = v_TGK[start : start + length, head // per_group]
            for i in range(length):
                score = {}
                for j in range(length):
                    match reach:
                        case Full():
                            seen = True
                        case Causal():
                            seen = j <= i
                        case Window(left, right):
                            seen = i - left <= j <= i + right
                        case GlobalWindow(left, right, first):
                            seen = i - left <= j <= i + right or i < first or j < first
                    if seen:
                        score[j] = float(q_THK[start + i, head] @ keys[j]) * SCALE
                        score[j] += float(bias[head, i, j]) if bias is not None else 0.0
                total = sum(math.exp(s) for s in score.values())
                for j, s in score.items():
                    context[start + i, head] += math.exp(s) / total * values[j]
    return context


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize(
    "reach",
    [Full(), Causal(), Window(1, 2), Window(0, 0), GlobalWindow(1, 0, 2)],
    ids=repr,
)
def test_reference_is_the_formula(reach: Reach, biased: bool) -> None:
    layout = Layout([4, 1, 6])
    with torch.no_grad():
        q_THK, k_TGK, v_TGK = draw(layout, heads=4, groups=2)
        bias = draw_bias(layout, heads=4) if biased else None
        expected = by_formula(q_THK, k_TGK, v_TGK, layout, reach, bias)
        found = ways.reference(
            q_THK, k_TGK, v_TGK, layout, layout, Scoring(reach, SCALE, bias_HLL=bias)
        )
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@given(lengths=batches, reach=reaches, shape=heads_and_groups, biased=st.booleans())
def test_every_way_equals_the_reference_with_its_gradients(
    way: Callable[..., Tensor],
    lengths: list[int],
    reach: Reach,
    shape: tuple[int, int],
    biased: bool,
) -> None:
    layout = Layout(lengths)
    inputs = draw(layout, *shape)
    bias = draw_bias(layout, shape[0]) if biased else None
    upstream = torch.randn(layout.tokens, shape[0], HEAD_DIM)
    wanted = [*inputs, bias] if bias is not None else [*inputs]

    def run(way: Callable[..., Tensor]) -> list[Tensor]:
        out = way(*inputs, layout, layout, Scoring(reach, SCALE, bias_HLL=bias))
        return [out, *torch.autograd.grad((out * upstream).sum(), wanted)]

    for found, expected in zip(run(way), run(ways.reference), strict=True):
        assert torch.isfinite(found).all()
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@given(lengths=batches, reach=reaches, shape=heads_and_groups, biased=st.booleans())
def test_with_dropout_nothing_else_changes(
    way: Callable[..., Tensor],
    lengths: list[int],
    reach: Reach,
    shape: tuple[int, int],
    biased: bool,
) -> None:
    """A rate too small to drop anything takes the same path as one that drops."""
    layout = Layout(lengths)
    inputs = draw(layout, *shape)
    bias = draw_bias(layout, shape[0]) if biased else None
    expected = ways.reference(*inputs, layout, layout, Scoring(reach, SCALE, bias_HLL=bias))
    found = way(*inputs, layout, layout, Scoring(reach, SCALE, 1e-9, bias))
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)
    wanted = [*inputs, bias] if bias is not None else [*inputs]
    for gradient, by_formula in zip(
        torch.autograd.grad(found.pow(2).sum(), wanted),
        torch.autograd.grad(expected.pow(2).sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(gradient, by_formula, atol=5e-5, rtol=1e-4)


@given(
    lengths=st.lists(st.integers(1, 200), min_size=1, max_size=3),
    window=st.builds(Window, st.integers(0, 40), st.integers(0, 40)),
    shape=st.sampled_from([(2, 2), (4, 2)]),
)
def test_windows_over_long_sequences_equal_the_reference(
    lengths: list[int], window: Window, shape: tuple[int, int]
) -> None:
    layout = Layout(lengths)
    inputs = draw(layout, *shape)
    upstream = torch.randn(layout.tokens, shape[0], HEAD_DIM)
    expected = ways.reference(*inputs, layout, layout, Scoring(window, SCALE))
    expected_grads = torch.autograd.grad((expected * upstream).sum(), inputs)
    for way in (ways.by_runs, ways.padded, ways.attend):
        found = way(*inputs, layout, layout, Scoring(window, SCALE))
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)
        grads = torch.autograd.grad((found * upstream).sum(), inputs)
        for grad, expected_grad in zip(grads, expected_grads, strict=True):
            torch.testing.assert_close(grad, expected_grad, atol=5e-5, rtol=1e-4)


@given(lengths=batches, reach=reaches, biased=st.booleans())
def test_rows_of_the_weights_sum_to_one_where_attention_may_go(
    lengths: list[int], reach: Reach, biased: bool
) -> None:
    layout = Layout(lengths)
    q_THK, k_TGK, _ = draw(layout, heads=4, groups=2)
    bias = draw_bias(layout, heads=4) if biased else None
    for weight, length in zip(
        ways.weights(q_THK, k_TGK, layout, layout, Scoring(reach, SCALE, bias_HLL=bias)),
        lengths,
        strict=True,
    ):
        assert weight.shape == (4, length, length)
        torch.testing.assert_close(weight.sum(dim=-1), torch.ones(4, length))
        position = torch.arange(length)
        allowed = reach.allows(position[:, None], position[None, :]).expand_as(weight)
        assert (weight[~allowed] == 0).all()
        assert (weight[allowed] > 0).all()


@pytest.mark.parametrize("way", [ways.by_runs, ways.reference], ids=["by_runs", "reference"])
@given(lengths=batches, reach=reaches, seed=st.integers(0, 99))
def test_a_sequence_does_not_feel_its_companions(
    way: Callable[..., Tensor], lengths: list[int], reach: Reach, seed: int
) -> None:
    layout = Layout(lengths)
    inputs = draw(layout, 4, 2, seed)
    together = way(*inputs, layout, layout, Scoring(reach, SCALE))
    for start, length in zip(layout.starts, lengths, strict=True):
        one = slice(start, start + length)
        own = Layout([length])
        alone = way(*(tensor[one] for tensor in inputs), own, own, Scoring(reach, SCALE))
        torch.testing.assert_close(together[one], alone, atol=1e-6, rtol=1e-6)


@given(lengths=batches, reach=reaches)
def test_foreign_tokens_have_no_influence_at_all_on_the_padded_way(
    lengths: list[int], reach: Reach
) -> None:
    layout = Layout([*lengths, 5])
    q_THK, k_TGK, v_TGK = draw(layout, 4, 4)
    before = ways.padded(q_THK, k_TGK, v_TGK, layout, layout, Scoring(reach, SCALE))
    with torch.no_grad():
        q_THK[-5:] = 1e4
        k_TGK[-5:] = -1e4
        v_TGK[-5:] = 1e4
    after = ways.padded(q_THK, k_TGK, v_TGK, layout, layout, Scoring(reach, SCALE))
    assert torch.equal(before[:-5], after[:-5])


@pytest.mark.parametrize("way", [ways.reference, ways.by_runs, ways.padded])
def test_dropout_keeps_the_mean_and_divides_by_what_stays(way: Callable[..., Tensor]) -> None:
    """With equal weights 1/L and values 1, the context is (kept keys) / (L·(1-p))."""
    copies, length, rate = 400, 8, 0.3
    layout = Layout([length] * copies)
    zeros = torch.zeros(layout.tokens, 2, HEAD_DIM)
    context = way(
        zeros, zeros, torch.ones_like(zeros), layout, layout, Scoring(Full(), SCALE, rate)
    )
    kept = context[..., 0] * length * (1 - rate)
    torch.testing.assert_close(kept, kept.round(), atol=1e-4, rtol=0)
    assert abs(context.mean() - 1) < 0.02
    variance = rate / (1 - rate) / length
    assert abs(context[..., 0].var() / variance - 1) < 0.1


def test_padding_is_chosen_where_it_is_cheaper() -> None:
    """Many short runs are padded; one run, or one long sequence among short ones, is not."""

    def pays(lengths: list[int], reach: Reach) -> bool:
        layout = Layout(lengths)
        return ways._padding_pays(layout, layout, Scoring(reach, SCALE))

    assert pays([5, 6, 7, 8] * 4, Full())
    assert not pays([32] * 16, Full())
    assert not pays([2, 3, 2, 3, 4000], Full())
    assert not pays([900, 901], Window(64, 64))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("reach", [Full(), Causal(), Window(3, 5)], ids=repr)
@pytest.mark.parametrize("groups", [4, 2])
def test_the_ragged_cuda_kernel_equals_the_reference(
    dtype: torch.dtype, reach: Reach, groups: int
) -> None:
    layout = Layout([1, 17, 64, 5, 130], device="cuda")
    q_THK, k_TGK, v_TGK = (
        torch.randn(layout.tokens, heads, 64, device="cuda", dtype=dtype)
        for heads in (4, groups, groups)
    )
    found = ways.varlen(q_THK, k_TGK, v_TGK, layout, layout, Scoring(reach, 0.125))
    expected = ways.reference(q_THK, k_TGK, v_TGK, layout, layout, Scoring(reach, 0.125))
    torch.testing.assert_close(found, expected, atol=2e-2, rtol=2e-2)
