"""Changes of images: what they may do, what they leave, and that a seed repeats them."""

from __future__ import annotations

import pytest
import torch

from manyheads.errors import RecipeError
from manyheads.tasks import Augmentation, Erase, Flip, ImageBatch, Mixup, Shift

CHANGES = (Shift(0.3), Flip(), Erase(1.0), Mixup())


def batch(count: int = 8, height: int = 6, width: int = 10) -> ImageBatch:
    torch.manual_seed(5)
    pixels = torch.rand(count, 2, height, width) + 1
    return ImageBatch(tuple(range(count)), pixels, 4 * count, torch.arange(count))


@pytest.mark.parametrize("change", CHANGES)
def test_a_seed_draws_the_same_again(change: Augmentation):
    torch.manual_seed(0)
    first, second = change(batch()), change(batch())
    again = change(batch())
    assert torch.equal(first.pixels, again.pixels)
    assert first.pixels.shape == second.pixels.shape


def test_images_are_moved_whole_and_their_edges_repeated():
    before, changed = batch(32), Shift(0.3)(batch(32))
    seen = set()
    for image, moved in zip(before.pixels, changed.pixels, strict=True):
        places = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-3, 4)
            if torch.equal(
                moved,
                image[:, (torch.arange(6) + down).clamp(0, 5)][
                    :, :, (torch.arange(10) + right).clamp(0, 9)
                ],
            )
        ]
        assert len(places) == 1
        seen.update(places)
    assert len(seen) > 10


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_left_and_right_change_places(probability: float):
    before, changed = batch(), Flip(probability)(batch())
    expected = before.pixels.flip(-1) if probability else before.pixels
    assert torch.equal(changed.pixels, expected)


def test_a_rectangle_is_erased_from_all_channels():
    changed = Erase(1.0, least=0.1, most=0.3)(batch(64, 20, 20))
    for image in changed.pixels:
        erased = image == 0
        assert torch.equal(erased[0], erased[1])
        rows, columns = erased[0].any(1).sum(), erased[0].any(0).sum()
        assert erased[0].sum() == rows * columns
        assert 0.07 < erased[0].float().mean() < 0.35


def test_mixed_images_know_whose_they_are():
    before, changed = batch(), Mixup(1.0)(batch())
    assert changed.mixed is not None
    for number, share in enumerate(changed.mixed.shares):
        other = before.pixels[changed.mixed.targets[number]]
        expected = share * before.pixels[number] + (1 - share) * other
        torch.testing.assert_close(changed.pixels[number], expected)
    assert torch.equal(changed.targets, before.targets)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Shift(1.5),
        lambda: Flip(-0.1),
        lambda: Erase(least=0.5, most=0.2),
        lambda: Erase(ratio=0.5),
        lambda: Mixup(0.0),
    ],
)
def test_settings_have_limits(make):
    with pytest.raises(RecipeError):
        make()
