"""The random blocks of BigBird are those that `transformers` draws in training."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import BigBirdConfig
from transformers.models.big_bird.modeling_big_bird import BigBirdBlockSparseAttention

from manyheads.core.random_blocks import random_blocks
from manyheads.errors import LayoutError


def original(
    blocks: int, size: int, random: int, heads: int, seed: int, positions: int
) -> np.ndarray:
    """What the attention of `transformers` draws, as its forward pass asks for it."""
    config = BigBirdConfig(
        hidden_size=heads,
        num_attention_heads=heads,
        block_size=size,
        num_random_blocks=random,
        max_position_embeddings=positions,
    )
    attention = BigBirdBlockSparseAttention(config, seed).train()
    np.random.seed(seed)
    length = blocks * size
    if length in (1024, 3072, 4096):
        drawn = [
            attention._bigbird_block_rand_mask(
                positions, positions, size, size, random, last_idx=1024
            )[: blocks - 2]
            for _ in range(heads)
        ]
    else:
        drawn = attention._bigbird_block_rand_mask_with_head(
            length, length, size, size, heads, *attention._get_rand_attn_plan(length, size, random)
        )
    return np.stack(drawn)


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize(
    ("blocks", "size", "random", "positions"),
    [
        (12, 64, 3, 4096),
        (13, 64, 3, 4096),
        (40, 16, 2, 4096),
        (100, 2, 1, 512),
        (16, 64, 3, 4096),  # 1024
        (16, 64, 3, 1024),
        (64, 16, 3, 4096),
        (48, 64, 3, 4096),  # 3072
        (48, 64, 3, 3072),
        (64, 64, 3, 4096),  # 4096
        (64, 64, 5, 8192),
        (128, 32, 2, 4096),
    ],
)
def test_draws_are_those_of_the_original(
    blocks: int, size: int, random: int, positions: int, seed: int
) -> None:
    found = random_blocks(blocks, size, random, 3, seed, positions)
    assert found.shape == (3, blocks - 2, random)
    assert np.array_equal(found, original(blocks, size, random, 3, seed, positions))


def test_too_few_blocks_to_draw_from_are_refused() -> None:
    with pytest.raises(LayoutError, match="12 blocks of 256 tokens has fewer than 3 random"):
        random_blocks(12, 256, 3, 2, 0, 4096)
