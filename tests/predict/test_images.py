"""Predictors of images: trained and published ones, and the same answers from transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import manyheads as mh
from manyheads.errors import ConfigError, ImageError

Image = pytest.importorskip("PIL.Image")


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


IMAGES = noise(24, 12, 10, 3)
LABELS = np.array(["猫", "dog", "bird"] * 8)


@pytest.fixture(scope="module")
def learner() -> mh.Learner:
    data = mh.read_images((IMAGES, LABELS), valid=0)
    recipe = mh.Recipe(epochs=1, learning_rate=1e-3)
    blueprint = mh.ScratchImages(image_size=8, layers=2, width=32, heads=2)
    learner = mh.Learner(blueprint, mh.ImageClassification(), data, recipe, quiet=True)
    learner.fit()
    return learner


@pytest.fixture(scope="module")
def folder(learner: mh.Learner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learner.predictor().save(tmp_path_factory.mktemp("saved") / "model")


def theirs(folder: Path, images: list) -> tuple[np.ndarray, dict[int, str]]:
    """The outputs of transformers for images of Pillow, and the names of their columns."""
    transformers = pytest.importorskip("transformers")
    model = transformers.ViTForImageClassification.from_pretrained(folder).eval()
    processor = transformers.ViTImageProcessorPil.from_pretrained(folder)
    with torch.no_grad():
        logits = model(**processor(images, return_tensors="pt")).logits
    return logits.numpy(), model.config.id2label


def test_a_saved_folder_answers_as_before(learner: mh.Learner, folder: Path):
    opened = mh.load(folder)
    assert isinstance(opened, mh.ImagePredictor)
    assert opened.labels == ("bird", "dog", "猫")
    expected = learner.predictor().probabilities(IMAGES)
    np.testing.assert_allclose(opened.probabilities(IMAGES), expected, atol=1e-6)
    np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-5)


def test_transformers_answers_the_same(folder: Path):
    expected, names = theirs(folder, [Image.fromarray(one) for one in IMAGES])
    opened = mh.load(folder)
    np.testing.assert_allclose(opened.outputs(IMAGES).numpy(), expected, atol=1e-4)
    assert tuple(names.values()) == opened.labels


def test_grey_images_too(tmp_path: Path):
    images = noise(6, 8, 8)
    data = mh.read_images((images, np.arange(6) % 2), valid=0)
    blueprint = mh.ScratchImages(layers=1, width=16, heads=2)
    learner = mh.Learner(blueprint, mh.ImageClassification(), data, quiet=True)
    learner.predictor().save(tmp_path / "grey")
    expected, _ = theirs(tmp_path / "grey", [one[:, :, None] for one in images])
    np.testing.assert_allclose(mh.load(tmp_path / "grey").outputs(images), expected, atol=1e-4)


def test_a_published_classifier_opens_and_answers(tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        image_size=16,
        patch_size=4,
        id2label={0: "tabby", 1: "tiger", 2: "lynx"},
        label2id={"tabby": 0, "tiger": 1, "lynx": 2},
        initializer_range=0.3,
    )
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
    size = {"height": 16, "width": 16}
    transformers.ViTImageProcessorPil(size=size).save_pretrained(tmp_path)
    opened = mh.load(tmp_path)
    expected, _ = theirs(tmp_path, [Image.fromarray(one) for one in IMAGES])
    assert opened.labels == ("tabby", "tiger", "lynx")
    np.testing.assert_allclose(opened.outputs(IMAGES).numpy(), expected, atol=1e-4)
    # And it can be trained further, for other labels.
    data = mh.read_images((IMAGES, LABELS), valid=0)
    learner = mh.Learner(tmp_path, mh.ImageClassification(), data, mh.Recipe(epochs=1), quiet=True)
    learner.fit()
    assert learner.predictor().labels == ("bird", "dog", "猫")


def test_every_kind_of_image_has_one_answer(folder: Path, tmp_path: Path):
    opened, path = mh.load(folder), tmp_path / "x.png"
    Image.fromarray(IMAGES[0]).save(path)
    with Image.open(path) as pillow:
        answers = [
            opened(one)
            for one in (path, str(path), path.read_bytes(), IMAGES[0], pillow.convert("RGB"))
        ]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].label in opened.labels
    several = opened([path, IMAGES[1]])
    assert [str(one) for one in several] == [str(opened(one)) for one in (IMAGES[0], IMAGES[1])]
    assert len(opened(IMAGES[..., 0])) == len(IMAGES)
    assert opened([]) == [] and opened.probabilities([]).shape == (0, 3)


def test_a_broken_image_is_named(folder: Path, tmp_path: Path):
    (tmp_path / "x.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"x\.png: not an image"):
        mh.load(folder)(tmp_path / "x.png")


def test_a_folder_without_its_preprocessor_is_refused(learner: mh.Learner, tmp_path: Path):
    learner.predictor().save(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(ConfigError, match=r"no preprocessor_config\.json"):
        mh.load(tmp_path)
