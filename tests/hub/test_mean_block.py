from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from manyheads.core.layout import Layout
from manyheads.core.pooling import pool
from manyheads.core.spec import Pooling
from manyheads.hub import Pretrained, load_model, save_with_sequence_head
from manyheads.hub.mean_block import append_mean_block
from manyheads.tasks import Classification

IDS, LAYOUT = Layout.flatten([[101, 2023, 2003, 1037, 3231, 102], [101, 102], [101, 7592, 102]])


@pytest.fixture(scope="module")
def original(minilm: str) -> Pretrained:
    return load_model(minilm)


@pytest.fixture(scope="module")
def averaged(original: Pretrained) -> Pretrained:
    return append_mean_block(original)


@torch.no_grad()
def test_the_first_token_holds_the_mean(original: Pretrained, averaged: Pretrained) -> None:
    hidden_TD = original.transformer.encode(IDS, LAYOUT)
    mean_BD = pool(hidden_TD, LAYOUT, Pooling.MEAN)
    first_BD = hidden_TD[LAYOUT.offsets[:-1]]
    expected = torch.nn.functional.layer_norm(8 * mean_BD + first_BD, (384,), eps=1e-12)
    actual = pool(averaged.transformer.encode(IDS, LAYOUT), LAYOUT, Pooling.FIRST)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)
    assert torch.cosine_similarity(actual, mean_BD - mean_BD.mean(1, keepdim=True)).min() > 0.97


def test_the_body_below_is_untouched(original: Pretrained, averaged: Pretrained) -> None:
    before, after = original.transformer.state_dict(), averaged.transformer.state_dict()
    assert set(after) - set(before) == {n for n in after if n.startswith("encoder.blocks.6.")}
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert averaged.config["num_hidden_layers"] == 7
    assert original.config["num_hidden_layers"] == 6


def test_it_is_appended_once(averaged: Pretrained) -> None:
    assert append_mean_block(averaged) is averaged


def test_a_body_that_is_not_averaged_stays(original: Pretrained) -> None:
    other = replace(original, pooling=None)
    assert append_mean_block(other) is other


@torch.no_grad()
def test_transformers_computes_the_same_logits(averaged: Pretrained, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    task = Classification(labels=("a", "b", "c"))
    head = task.head(averaged).eval()
    save_with_sequence_head(tmp_path, averaged, head.state_dict(), task.hub_settings())
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    first_BD = pool(averaged.transformer.encode(IDS, LAYOUT), LAYOUT, Pooling.FIRST)
    for row, ids in enumerate(IDS.split(LAYOUT.lengths)):
        torch.testing.assert_close(
            theirs(input_ids=ids[None]).logits[0], head(first_BD)[row], atol=1e-5, rtol=1e-5
        )
    assert theirs.config.id2label == {0: "a", 1: "b", 2: "c"}
