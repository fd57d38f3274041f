"""Pixels as a model reads them, held to the image processor of transformers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from manyheads.errors import ConfigError, ImageError
from manyheads.image import (
    Picture,
    Preparation,
    Resample,
    as_published,
    decode,
    preparation_of,
)

Image = pytest.importorskip("PIL.Image")

PLAIN = {"size": {"height": 6, "width": 8}}


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"resample": 3},
        {"resample": 0, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]},
        {"do_normalize": False},
        {"do_rescale": False},
        {"rescale_factor": 0.01},
    ],
)
@pytest.mark.parametrize("shape", [(31, 17, 3), (6, 8, 3), (3, 4, 3)])
def test_as_transformers_has_it(settings: dict, shape: tuple[int, ...], tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.ViTImageProcessorPil(**PLAIN, **settings)
    theirs.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "preprocessor_config.json").read_text())
    ours = preparation_of(config, 3, (6, 8))
    array = noise(*shape)
    expected = theirs(Image.fromarray(array), return_tensors="np")["pixel_values"][0]
    found = ours.normalised(ours.pixels(array))
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-5)


def test_what_we_write_says_the_same_again():
    preparation = Preparation(1, (6, 8), Resample.BICUBIC, 1 / 255, (0.25,), (0.5,))
    assert preparation_of(as_published(preparation), 1, (6, 8)) == preparation
    fixed = Preparation(3, (6, 8), None, 1 / 255, (0.1, 0.2, 0.3), (0.5,) * 3)
    assert preparation_of(as_published(fixed), 3, (6, 8)) == fixed


def test_an_old_folder_says_one_number_for_the_size():
    config = {"feature_extractor_type": "ViTFeatureExtractor", "size": 6, "resample": 2}
    assert preparation_of(config, 3, (6, 6)).size == (6, 6)


def test_grey_and_colour_serve_models_of_the_other_kind():
    grey, colour = noise(9, 9), noise(9, 9, 3)
    assert preparation_of(PLAIN, 3, (6, 8)).pixels(grey).shape == (3, 6, 8)
    assert preparation_of(PLAIN, 1, (6, 8)).pixels(colour).shape == (1, 6, 8)


def test_an_array_that_fits_is_taken_as_it_is():
    array = noise(6, 8, 3)
    pixels = preparation_of(PLAIN, 3, (6, 8)).pixels(array)
    assert np.shares_memory(pixels, array)
    assert np.array_equal(pixels, np.asarray(decode(array)).transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (None, "has no preprocessor_config.json"),
        ({"do_center_crop": True, **PLAIN}, "do_center_crop=True, which is not understood"),
        ({"crop_size": 3, **PLAIN}, "crop_size=3"),
        ({"image_processor_type": "CLIPImageProcessor", **PLAIN}, "CLIPImageProcessor"),
        ({"size": {"shortest_edge": 6}}, "shortest_edge"),
        ({"size": 7}, "an image of 6 x 8"),
        ({"resample": 9, **PLAIN}, "resample=9"),
        ({"image_mean": [0.5, 0.5], **PLAIN}, "for 3 channels"),
        ({"image_std": [0.5, 0.0, 0.5], **PLAIN}, "image_std"),
    ],
)
def test_what_is_not_understood_is_refused(config: dict | None, said: str):
    with pytest.raises(ConfigError, match=said):
        preparation_of(config, 3, (6, 8))


def test_what_has_no_effect_is_read_over():
    config = {**PLAIN, "do_center_crop": False, "crop_size": None, "do_convert_rgb": True}
    assert preparation_of(config, 3, (6, 8)) == preparation_of(PLAIN, 3, (6, 8))


def test_without_resizing_only_one_size_is_read():
    fixed = preparation_of({"do_resize": False}, 3, (6, 8))
    assert fixed.pixels(noise(6, 8)).shape == (3, 6, 8)
    with pytest.raises(ImageError, match="do_resize=false"):
        fixed.pixels(noise(6, 9))


def test_a_picture_is_held_or_read_again(tmp_path: Path):
    path, preparation = tmp_path / "x.png", preparation_of(PLAIN, 3, (6, 8))
    Image.fromarray(noise(9, 9)).save(path)
    lazy = Picture(path, preparation)
    held = Picture(path, preparation, lazy.pixels())
    before, checksum = lazy.pixels(), lazy.checksum()
    Image.fromarray(255 - noise(9, 9)).save(path)
    assert np.array_equal(held.pixels(), before)
    assert not np.array_equal(lazy.pixels(), before)
    assert lazy.checksum() != checksum
