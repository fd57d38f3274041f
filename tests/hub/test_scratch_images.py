"""Vision Transformers from nothing: what follows from the images, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import manyheads as mh
from manyheads.errors import ConfigError, DataError

pytest.importorskip("PIL")

SMALL = {"layers": 1, "width": 16, "heads": 2}


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, shape).astype(np.uint8)


@pytest.mark.parametrize(
    ("shape", "channels", "side"),
    [((5, 9, 14), 1, 8), ((5, 14, 10, 3), 3, 8), ((5, 200, 200), 1, 64), ((5, 2, 2), 1, 4)],
)
def test_size_and_channels_follow_from_the_images(shape, channels, side):
    config = mh.ScratchImages(**SMALL).build(list(noise(*shape))).config
    assert (config["num_channels"], config["image_size"]) == (channels, side)


def test_pixels_are_normalised_by_their_own_mean_and_deviation():
    images = noise(50, 8, 8, 3) // np.array([1, 2, 4], dtype=np.uint8)
    preprocessor = mh.ScratchImages(**SMALL).build(list(images)).preprocessor
    scaled = images / 255
    np.testing.assert_allclose(preprocessor["image_mean"], scaled.mean((0, 1, 2)), atol=1e-3)
    np.testing.assert_allclose(preprocessor["image_std"], scaled.std((0, 1, 2)), atol=1e-3)


def test_a_seed_draws_the_same_weights():
    images = list(noise(5, 8, 8))
    first, again, other = (
        mh.ScratchImages(**SMALL).build(images, seed).transformer.state_dict() for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(
        first["embed.patches.project.weight"], other["embed.patches.project.weight"]
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"heads": 3}, "width=16 is not a multiple"),
        ({"patch": 9, "image_size": 8}, "patch=9 does not fit into image_size=8"),
        ({"layers": 0}, "layers=0"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"channels": 2}, "channels=2"),
    ],
)
def test_sizes_that_do_not_fit(settings, said):
    with pytest.raises(ConfigError, match=said):
        mh.ScratchImages(**(SMALL | settings)).build(list(noise(5, 8, 8)))


def test_texts_are_refused():
    with pytest.raises(DataError, match="reads images"):
        mh.ScratchImages().build_for({"text": ["a"]})
