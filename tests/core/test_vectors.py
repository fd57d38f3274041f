"""The vector of a text: poolings side by side, then steps."""

from __future__ import annotations

import pytest
import torch

from manyheads.core.layout import Layout
from manyheads.core.pooling import pool
from manyheads.core.spec import Activation, LayerNorm, Pooling, Spec
from manyheads.core.vectors import (
    Projection,
    UnitLength,
    VectorHead,
    VectorSpec,
    text_vectors,
    token_vectors,
)

from . import small

LENGTHS = [3, 1, 4]


def head(spec: VectorSpec, width: int = small.WIDTH) -> VectorHead:
    made = VectorHead(spec, width).eval().requires_grad_(False)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    return made


def test_poolings_lie_side_by_side_and_steps_follow() -> None:
    spec = VectorSpec(
        (Pooling.MEAN, Pooling.MAX),
        (Projection(5, activation=Activation.TANH), LayerNorm(1e-5), Projection(3, bias=False)),
    )
    made = head(spec, 6)
    hidden_TD, layout = torch.randn(8, 6), Layout(LENGTHS)
    pooled = torch.cat([pool(hidden_TD, layout, one) for one in spec.poolings], 1)
    x = torch.tanh(pooled @ made.steps[0][0].weight.T + made.steps[0][0].bias)
    x = torch.nn.functional.layer_norm(x, (5,), made.steps[1].weight, made.steps[1].bias, 1e-5)
    torch.testing.assert_close(made(hidden_TD, layout), x @ made.steps[2][0].weight.T)
    assert made.width == 3 and not spec.has_unit_length


def test_unit_length() -> None:
    spec = VectorSpec((Pooling.MEAN,), (UnitLength(),))
    vectors = head(spec, 6)(torch.randn(8, 6), Layout(LENGTHS))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    assert spec.has_unit_length


@pytest.mark.parametrize("pooling", Pooling)
@pytest.mark.parametrize("spec", [small.post_norm(), small.decoder()], ids=["encoder", "decoder"])
@pytest.mark.parametrize("uncounted", [0, 2])
def test_a_text_has_the_same_vector_in_every_batch(
    spec: Spec, pooling: Pooling, uncounted: int
) -> None:
    """Alone, with others, and with the filler of inference."""
    model, made = small.make(spec), head(VectorSpec((pooling,)))
    ids = [torch.randint(0, small.VOCABULARY, (length,)) for length in LENGTHS]
    together = text_vectors(model, made, torch.cat(ids), Layout(LENGTHS), uncounted)
    with torch.inference_mode():
        filled = text_vectors(model, made, torch.cat(ids), Layout(LENGTHS), uncounted)
    torch.testing.assert_close(filled, together, atol=1e-5, rtol=1e-5)
    for row, ids_T in enumerate(ids):
        layout = Layout([len(ids_T)])
        alone = text_vectors(model, made, ids_T, layout, uncounted)
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-5, rtol=1e-5)
        hidden_TD = token_vectors(model, ids_T, layout)
        left = hidden_TD[min(uncounted, len(ids_T) - 1) :]
        if pooling is Pooling.MAX:
            torch.testing.assert_close(alone[0], left.amax(0), atol=1e-5, rtol=1e-5)
