"""The whole encoder: companions, limits, gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from manyheads.core.layout import Layout
from manyheads.core.spec import RelativeBias, Spec
from manyheads.errors import LayoutError

from . import small

SPECS = {
    "post-norm": small.post_norm(),
    "pre-norm": small.pre_norm(),
    "relative bias": small.post_norm(relative_bias=RelativeBias(8, 16)),
}
texts_of_a_batch = st.lists(
    st.lists(st.integers(0, small.VOCABULARY - 1), min_size=1, max_size=12), min_size=1, max_size=6
)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@given(texts=texts_of_a_batch, data=st.data())
def test_a_text_does_not_depend_on_its_batch(
    spec: Spec, texts: list[list[int]], data: st.DataObject
) -> None:
    torch.manual_seed(0)
    model = small.make(spec)
    order = data.draw(st.permutations(range(len(texts))))
    with torch.no_grad():
        ids_T, layout = Layout.flatten([texts[i] for i in order])
        together = model.encode(ids_T, layout).split(layout.lengths)
        for place, i in enumerate(order):
            alone = model.encode(*Layout.flatten([texts[i]]))
            torch.testing.assert_close(together[place], alone, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_companion_has_no_influence_at_all_when_the_shapes_stay(spec: Spec) -> None:
    """Bitwise: same layout, other words in the other texts."""
    model = small.make(spec)
    mine, layout = [3, 1, 4, 1, 5], Layout([5, 7, 5])
    results = []
    for _ in range(2):
        others = torch.randint(0, small.VOCABULARY, (12,))
        with torch.no_grad():
            hidden = model.encode(torch.cat((torch.tensor(mine), others)), layout)
        results.append(hidden[:5])
    assert torch.equal(*results)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_every_parameter_learns(spec: Spec) -> None:
    model = small.make(spec)
    ids_T, layout = torch.randint(0, small.VOCABULARY, (12,)), Layout([4, 1, 7])
    out = model.encode(ids_T, layout, torch.randint(0, 2, (12,)) if spec.embed.segments else None)
    (out * torch.randn_like(out)).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@given(texts=texts_of_a_batch, data=st.data())
def test_asking_for_some_rows_gives_those_of_all(
    spec: Spec, texts: list[list[int]], data: st.DataObject
) -> None:
    torch.manual_seed(0)
    model = small.make(spec)
    ids_T, layout = Layout.flatten(texts)
    chosen = st.lists(st.integers(0, layout.tokens - 1), min_size=1, max_size=5)
    rows = torch.tensor(data.draw(chosen))
    with torch.no_grad():
        everything = model.encode(ids_T, layout)
        some = model.encode(ids_T, layout, rows=rows)
    torch.testing.assert_close(some, everything[rows], atol=2e-6, rtol=1e-5)


def test_segments_default_to_the_first() -> None:
    model = small.make(small.post_norm())
    ids_T, layout = torch.randint(0, small.VOCABULARY, (6,)), Layout([2, 4])
    zeros = torch.zeros(6, dtype=torch.long)
    assert torch.equal(model.encode(ids_T, layout), model.encode(ids_T, layout, zeros))
    assert not torch.equal(model.encode(ids_T, layout), model.encode(ids_T, layout, zeros + 1))


def test_ids_of_another_batch_are_refused() -> None:
    with pytest.raises(LayoutError, match="ids holds 3 tokens but its layout says 4"):
        small.make(small.post_norm()).encode(torch.zeros(3, dtype=torch.long), Layout([4]))


@pytest.mark.parametrize("wrong", [small.VOCABULARY, 999, -1])
def test_an_id_outside_the_vocabulary_is_refused(wrong: int) -> None:
    with pytest.raises(LayoutError, match=rf"token id {wrong} is outside the 50 tokens"):
        small.make(small.post_norm()).encode(torch.tensor([1, wrong, 2]), Layout([3]))


@pytest.mark.parametrize("wrong", [2, -1])
def test_a_segment_that_the_model_lacks_is_refused(wrong: int) -> None:
    model = small.make(small.post_norm())
    with pytest.raises(LayoutError, match=rf"segment id {wrong} is outside the 2 segments"):
        model.encode(torch.tensor([1, 2]), Layout([2]), torch.tensor([0, wrong]))


def test_segments_of_another_batch_are_refused() -> None:
    model = small.make(small.post_norm())
    with pytest.raises(LayoutError, match="segments holds 1 tokens but its layout says 2"):
        model.encode(torch.tensor([1, 2]), Layout([2]), torch.tensor([0]))


def test_a_sequence_beyond_the_positions_is_refused() -> None:
    model = small.make(small.post_norm())
    too_long = small.MAX_TOKENS + 1
    with pytest.raises(LayoutError, match=f"max_tokens={small.MAX_TOKENS}"):
        model.encode(torch.zeros(too_long, dtype=torch.long), Layout([too_long]))


def test_one_layout_serves_inference_first_and_training_after() -> None:
    model = small.make(small.pre_norm())
    ids_T, layout = torch.randint(0, small.VOCABULARY, (12,)), Layout([5, 7])
    with torch.inference_mode():
        expected = model.encode(ids_T, layout)
    out = model.encode(ids_T, layout)
    out.sum().backward()
    assert torch.equal(out, expected)
