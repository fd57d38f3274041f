"""Global tokens of Longformer: chosen by the batch, equal to the original, read by `tap`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from manyheads.core.layout import Layout
from manyheads.core.pooling import pool
from manyheads.core.spec import Pooling
from manyheads.core.tap import tap
from manyheads.hub import load_model
from manyheads.hub.mean_block import append_mean_block

from .batches import Batch
from .harness import CASES, Classifier, open_folder, original, publish

LENGTHS = (30, 1, 17, 140)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[torch.nn.Module, Classifier]:
    case = CASES["longformer"]
    theirs = original(case.classifier, case.configure())
    return theirs, open_folder(publish(theirs, tmp_path))


@pytest.mark.parametrize("counts", [(12, 1, 4, 9), (0, 0, 0, 0), (3, 0, 17, 0)])
def test_a_batch_says_which_tokens_are_global(
    counts: tuple[int, ...], pair: tuple[torch.nn.Module, Classifier]
) -> None:
    """A question, no global token at all, a sequence of global tokens alone."""
    theirs, ours = pair
    batch = Batch.random(theirs.config, LENGTHS)
    asked = batch.padded["global_attention_mask"]
    asked.copy_(torch.arange(asked.shape[1]) < torch.tensor(counts)[:, None])
    batch = replace(batch, layout=Layout(LENGTHS, global_tokens=counts))
    with torch.no_grad():
        hidden_TD, logits = batch.encode(ours.transformer), ours(batch)
        expected_hidden, expected = batch.hidden_of(theirs), batch.logits_of(theirs)
    torch.testing.assert_close(hidden_TD, expected_hidden, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


def test_a_filled_batch_of_inference_keeps_its_global_tokens(
    pair: tuple[torch.nn.Module, Classifier],
) -> None:
    _, ours = pair
    batch = Batch.random(CASES["longformer"].configure(), LENGTHS)
    batch = replace(batch, layout=Layout(LENGTHS, global_tokens=(12, 1, 4, 9)))
    with torch.no_grad():
        expected = ours(batch)
    with torch.inference_mode():
        found = ours(batch)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_the_weights_of_global_tokens_are_those_of_their_own_projections(
    pair: tuple[torch.nn.Module, Classifier],
) -> None:
    """What `tap` reads, multiplied with the values, is the context that goes on."""
    _, ours = pair
    batch = Batch.random(CASES["longformer"].configure(), LENGTHS)
    counts = (12, 0, 4, 9)
    layout = Layout(LENGTHS, global_tokens=counts)
    name = "encoder.blocks.0.attention"
    with torch.no_grad(), tap(ours.transformer, f"{name}.*", "embed") as values:
        ours.transformer.encode(batch.ids, layout, batch.segments)
    local_THK = values[f"{name}.qkv"].unflatten(-1, (3, 4, 8))[:, 2]
    own_THK = values[f"{name}.global_heads.kv"].unflatten(-1, (2, 4, 8))[:, 1]
    for weight, first, local, own, context in zip(
        values[f"{name}.weights"],
        counts,
        local_THK.split(LENGTHS),
        own_THK.split(LENGTHS),
        values[f"{name}.global_heads"].split(LENGTHS),
        strict=True,
    ):
        torch.testing.assert_close(weight.sum(-1), torch.ones(weight.shape[:2]))
        rows = [
            torch.einsum("hqt,thk->qhk", weight[:, part], v)
            for part, v in ((slice(first), own), (slice(first, None), local))
        ]
        torch.testing.assert_close(torch.cat(rows), context, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_first_token_with_projections_of_its_own_holds_the_mean_too(tmp_path: Path) -> None:
    case = CASES["longformer"]
    model = load_model(publish(original(case.base, case.configure()), tmp_path))
    averaged = append_mean_block(replace(model, pooling=Pooling.MEAN))
    layout = Layout(case.lengths)
    ids_T = torch.randint(5, 60, (layout.tokens,))
    hidden_TD = model.transformer.encode(ids_T, layout)
    mean_BD = pool(hidden_TD, layout, Pooling.MEAN)
    first_BD = pool(hidden_TD, layout, Pooling.FIRST)
    expected = torch.nn.functional.layer_norm(8 * mean_BD + first_BD, (32,), eps=1e-12)
    actual = pool(averaged.transformer.encode(ids_T, layout), layout, Pooling.FIRST)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)
