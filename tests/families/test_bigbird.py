"""BigBird at the lengths of its pretraining, and what it drops."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers

from manyheads.core.mask import Blocks, Full
from manyheads.families import BIG_BIRD

from .batches import VOCABULARY, Apart
from .harness import open_folder, original, publish

SETTINGS = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.5,
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("length", [705, 1000, 1024, 1500])
def test_published_sizes_in_training_and_at_rest(
    length: int, training: bool, tmp_path: Path
) -> None:
    """Chance is in the blocks alone, and the same on both sides: no weight of a block is dropped,
    though the configuration asks for it.
    """
    theirs = original(
        transformers.BigBirdForSequenceClassification, transformers.BigBirdConfig(**SETTINGS)
    ).train(training)
    ours = open_folder(publish(theirs, tmp_path)).train(training)
    batch = Apart.random(theirs.config, (length,))
    with torch.no_grad():
        found, expected = batch.encode(ours.transformer), batch.hidden_of(theirs)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


def test_every_layer_draws_by_a_seed_of_its_own() -> None:
    blocks = BIG_BIRD.to_spec(SETTINGS).encoder.blocks
    expected = [Blocks(64, 3, heads=2, positions=4096, seed=layer) for layer in (0, 1)]
    assert [block.attention.reach for block in blocks] == expected


def test_a_configuration_may_ask_for_full_attention() -> None:
    spec = BIG_BIRD.to_spec(SETTINGS | {"attention_type": "original_full"})
    assert {block.attention.reach for block in spec.encoder.blocks} == {Full()}
