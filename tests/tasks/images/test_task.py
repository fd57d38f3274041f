"""The task of labels for images: what it shares with that of texts, and what is its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import manyheads as mh
from manyheads.errors import ConfigError, DataError, RecipeError
from manyheads.tasks import (
    Classification,
    ImageClassification,
    ImageExample,
    ImageReader,
    Noise,
    Reading,
    task_type,
)
from manyheads.text import Cleaning, Head

pytest.importorskip("PIL")

DESCRIBE = "table, row {}".format
READING = Reading(Cleaning(), Head)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


COLUMNS = {"image": list(noise(6, 8, 8)), "label": ["a", "b"] * 3}


@pytest.fixture(scope="module")
def pretrained():
    return mh.ScratchImages(layers=1, width=16, heads=2).build(COLUMNS["image"])


@pytest.fixture(scope="module")
def reader(pretrained) -> ImageReader:
    return ImageClassification().reader(pretrained, READING)


def examples(reader: ImageReader, task: ImageClassification) -> list[ImageExample]:
    return task.read(reader, COLUMNS, DESCRIBE)


def test_it_is_found_by_its_name_and_keeps_its_labels():
    task = ImageClassification().fit_to(COLUMNS, DESCRIBE)
    assert task_type("image-classification").from_json(task.to_json()).labels == ("a", "b")


def test_labels_weights_and_losses_are_those_of_texts():
    outputs, targets = torch.randn(6, 2), torch.tensor([0, 1] * 3)
    settings = {"class_weights": {"b": 3.0}, "label_smoothing": 0.1}
    images = ImageClassification(**settings).fit_to(COLUMNS, DESCRIBE)
    texts = Classification(**settings).fit_to(COLUMNS, DESCRIBE)
    torch.testing.assert_close(images.losses(outputs, targets), texts.losses(outputs, targets))
    assert images.score(COLUMNS["label"], outputs) == texts.score(COLUMNS["label"], outputs)


def test_an_image_is_normalised_once(reader: ImageReader):
    task = ImageClassification(augmentation=()).fit_to(COLUMNS, DESCRIBE)
    batch = task.draw(examples(reader, task), reader, Noise())
    assert batch.tokens == 6 * 5 and batch.rows == tuple(range(6))
    assert batch.pixels.shape == (6, 1, 8, 8)
    assert abs(float(batch.pixels.mean())) < 0.01 and abs(float(batch.pixels.std()) - 1) < 0.01


def test_held_images_are_bytes_not_floats(reader: ImageReader):
    task = ImageClassification().fit_to(COLUMNS, DESCRIBE)
    held = [example.picture.held for example in examples(reader, task)]
    assert all(one is not None and one.dtype == np.uint8 for one in held)


def test_too_many_images_are_read_each_time(reader: ImageReader, monkeypatch):
    task = ImageClassification().fit_to(COLUMNS, DESCRIBE)
    held = task.collate(examples(reader, task))
    monkeypatch.setattr("manyheads.tasks.images.samples._HELD_BYTES", 100)
    lazy = examples(reader, task)
    assert all(example.picture.held is None for example in lazy)
    assert torch.equal(task.collate(lazy).pixels, held.pixels)


def test_a_checksum_tells_images_and_targets_apart(reader: ImageReader):
    first, second, *_ = examples(reader, ImageClassification().fit_to(COLUMNS, DESCRIBE))
    assert first.digest(0) == first.digest(0) != first.digest(1)
    assert len({first.digest(0), second.digest(0), replace(first, target=1).digest(0)}) == 3


def test_the_loss_of_mixed_images_is_mixed(pretrained, reader: ImageReader):
    """Cross entropy is linear in its target: λ·loss(a) + (1 - λ)·loss(b)."""
    task = ImageClassification(augmentation=(mh.Mixup(1.0),), label_smoothing=0.1)
    task = task.fit_to(COLUMNS, DESCRIBE)
    model = task.model_of(pretrained)
    torch.manual_seed(0)
    batch = task.draw(examples(reader, task), reader, Noise())
    shares, others = batch.mixed.shares[:, None], batch.mixed.targets
    eye = torch.eye(2)
    target = shares * eye[batch.targets] + (1 - shares) * eye[others]
    expected = torch.nn.functional.cross_entropy(model(batch), target, label_smoothing=0.1)
    torch.testing.assert_close(task.loss(model, batch).mean, expected)


def test_noise_of_texts_is_refused(reader: ImageReader):
    task = ImageClassification().fit_to(COLUMNS, DESCRIBE)
    with pytest.raises(RecipeError, match="are for texts"):
        task.draw(examples(reader, task), reader, Noise(tokens=0.1))


def test_texts_and_images_are_not_taken_for_each_other():
    with pytest.raises(DataError, match="have no images"):
        ImageClassification(labels=("a", "b")).check({"text": ["x"], "label": ["a"]}, DESCRIBE)
    with pytest.raises(DataError, match="have no texts"):
        Classification(labels=("a", "b")).check(COLUMNS, DESCRIBE)


def test_a_model_that_reads_texts_is_refused():
    model = mh.Scratch(layers=1, width=16, heads=2, tokenizer=mh.Characters()).build(["some text"])
    with pytest.raises(ConfigError, match="reads texts, not images"):
        ImageClassification().prepared(model)


def test_a_model_that_does_not_say_how_images_are_made_ready_is_refused(pretrained):
    with pytest.raises(ConfigError, match=r"no preprocessor_config\.json"):
        ImageClassification().prepared(replace(pretrained, preprocessor=None))


def test_the_baseline_learns_what_pixels_tell():
    images = noise(60, 20, 20) // 2
    images[::2, :10] += 100
    labels = ["top", "flat"] * 30
    task = ImageClassification().fit_to({"label": labels}, DESCRIBE)
    columns = {"image": list(images), "label": labels}
    part = {"image": columns["image"][40:], "label": labels[40:]}
    name, scores = task.baseline(
        {"image": columns["image"][:40], "label": labels[:40]}, part, Cleaning()
    )
    assert name == "logistic regression"
    assert scores.accuracy == 1.0
