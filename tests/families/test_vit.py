"""What is particular to images: their size, their folder, and tasks that read texts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import manyheads as mh
from manyheads.core.initialize import initialize
from manyheads.core.layout import Layout
from manyheads.core.transformer import Transformer
from manyheads.errors import ConfigError, LayoutError
from manyheads.families import VIT
from manyheads.hub import load_model, save_model

from .harness import CASES, open_folder, original, publish

CASE = CASES["vit"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return publish(original(CASE.classifier, CASE.configure()), tmp_path / "theirs")


def test_a_token_is_the_projection_of_its_patch_and_its_position(folder: Path) -> None:
    """E·patch + PE[1 + number], patches row by row; the class token is PE[0] + its own vector."""
    embed = load_model(folder).transformer.embed
    images_NCHW = torch.randn(2, 3, 10, 12)
    with torch.no_grad():
        hidden_TD, layout = embed.of_images(images_NCHW)
    assert layout.lengths == (16, 16)
    weight, bias = embed.patches.project.weight.flatten(1), embed.patches.project.bias
    position = embed.positions.weight
    for image, tokens_LD in zip(images_NCHW, hidden_TD.split(16), strict=True):
        expected = [embed.patches.first[0] + position[0]]
        for number in range(15):
            top, left = 2 * (number // 3), 4 * (number % 3)
            patch = image[:, top : top + 2, left : left + 4].flatten()
            expected.append(weight @ patch + bias + position[1 + number])
        torch.testing.assert_close(tokens_LD, torch.stack(expected), atol=1e-5, rtol=1e-5)


def test_an_image_does_not_feel_its_companions(folder: Path) -> None:
    ours = open_folder(folder)
    batch = CASE.draw(CASE.configure())
    with torch.no_grad():
        together = ours(batch)
        for row, pixels in enumerate(batch.pixels):
            alone = replace(batch, pixels=pixels[None], layout=Layout([16]))
            torch.testing.assert_close(ours(alone)[0], together[row], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("shape", [(2, 3, 12, 10), (2, 1, 10, 12), (3, 10, 12)])
def test_images_of_another_size_are_refused(shape: tuple[int, ...], folder: Path) -> None:
    transformer = load_model(folder).transformer
    with pytest.raises(LayoutError, match=r"are not the \(N, 3, 10, 12\) of this model"):
        transformer.encode_images(torch.zeros(shape))


def test_how_images_are_made_ready_is_saved_as_it_was(folder: Path, tmp_path: Path) -> None:
    opened = load_model(folder)
    save_model(tmp_path / "ours", opened)
    before, after = (
        json.loads((place / "preprocessor_config.json").read_text())
        for place in (folder, tmp_path / "ours")
    )
    assert before == after
    assert after["image_mean"] == [0.1, 0.2, 0.3]
    assert not (tmp_path / "ours" / "tokenizer.json").exists()


def test_a_task_of_texts_is_refused(folder: Path) -> None:
    data = mh.read({"text": ["good", "bad"], "label": [1, 0]}, valid=0)
    with pytest.raises(ConfigError, match="family vit reads images, not texts"):
        mh.Learner(folder, mh.Classification(), data, quiet=True)


def test_fresh_weights_draw_the_class_token_as_they_draw_positions() -> None:
    model = Transformer(VIT.to_spec(CASE.settings))
    initialize(model)
    assert 0.005 < model.embed.patches.first.std() < 0.05
    assert 0.005 < model.embed.positions.weight.std() < 0.05
