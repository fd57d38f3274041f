"""Fresh weights: how large, how far apart, and the same for the same seed."""

from __future__ import annotations

import math

import pytest
import torch

from manyheads.core.initialize import initialize, initialize_by_fan, initialize_for_images
from manyheads.core.spec import RelativeBias
from manyheads.core.transformer import Transformer
from manyheads.families import family_of

from . import small


def test_initialize_draws_matrices_and_keeps_norms_and_biases_plain() -> None:
    model = Transformer(small.post_norm(relative_bias=RelativeBias()))
    small.perturb(model)
    initialize(model, deviation=0.1, seed=3)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert (parameter == 0).all(), name
        elif parameter.dim() == 1:
            assert (parameter == 1).all(), name
        else:
            assert abs(parameter.std() / 0.1 - 1) < 0.3, name
            assert abs(parameter.mean()) < 0.03, name
    matrices = [p.flatten()[:8].tolist() for p in model.parameters() if p.dim() > 1]
    assert len({tuple(start) for start in matrices}) == len(matrices)


def test_initialize_is_the_same_for_the_same_seed() -> None:
    one, other, third = (Transformer(small.post_norm()) for _ in range(3))
    initialize(one, seed=1)
    initialize(other, seed=1)
    initialize(third, seed=2)
    for name, parameter in one.named_parameters():
        assert torch.equal(parameter, other.get_parameter(name))
    assert not torch.equal(one.embed.tokens.weight, third.embed.tokens.weight)


def test_fresh_weights_by_fan_keep_values_near_one():
    config = {"model_type": "marian", "d_model": 64, "vocab_size": 100, "scale_embedding": True}
    sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 96, "decoder_ffn_dim": 96}
    heads = {"encoder_attention_heads": 4, "decoder_attention_heads": 4}
    config |= sizes | heads
    model = Transformer(family_of(config).to_spec(config))
    initialize_by_fan(model, seed=3)
    weights = dict(model.named_parameters())
    assert weights["embed.tokens.weight"].std().item() == pytest.approx(64**-0.5, rel=0.05)
    up = weights["encoder.blocks.0.feedforward.up.weight"]
    assert up.abs().max().item() == pytest.approx(math.sqrt(6 / (64 + 96)), rel=0.02)
    assert not any(w.any() for name, w in weights.items() if name.endswith("bias"))
    assert all((w == 1).all() for n, w in weights.items() if n.endswith("residual.weight"))
    again = Transformer(model.spec)
    initialize_by_fan(again, seed=3)
    assert all(torch.equal(w, weights[n]) for n, w in again.named_parameters())


def vision(rows: int, columns: int) -> Transformer:
    sizes = {"image_size": [8 * rows, 4 * columns], "patch_size": [8, 4], "num_channels": 1}
    layers = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = {"model_type": "vit", "intermediate_size": 32, **sizes, **layers}
    return Transformer(family_of(config).to_spec(config))


def test_patches_of_images_begin_knowing_their_neighbours() -> None:
    model = vision(5, 7)
    initialize_for_images(model)
    assert model.embed.positions is not None
    first_D, *places = model.embed.positions.weight.detach()
    assert not first_D.any()
    grid_RCD = torch.stack(places).unflatten(0, (5, 7))
    assert torch.equal(grid_RCD[2, :, :12], grid_RCD[2, :1, :12].expand(7, -1))  # its row
    assert torch.equal(grid_RCD[:, 3, 12:], grid_RCD[:1, 3, 12:].expand(5, -1))  # its column
    near_RC = torch.cosine_similarity(grid_RCD, grid_RCD[2, 3], dim=-1)
    distance_RC = torch.hypot(torch.arange(5)[:, None] - 2.0, torch.arange(7) - 3.0)
    order = distance_RC.flatten().argsort()
    assert near_RC.argmax() == order[0]
    assert near_RC[distance_RC <= 1].min() > near_RC[distance_RC > 1.5].max()


def test_images_learn_their_positions_on() -> None:
    model, again = vision(2, 2), vision(2, 2)
    initialize_for_images(model, seed=1)
    initialize_for_images(again, seed=1)
    assert all(torch.equal(w, again.get_parameter(n)) for n, w in model.named_parameters())
    assert model.embed.positions is not None
    assert isinstance(model.embed.positions.weight, torch.nn.Parameter)
