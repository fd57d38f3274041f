"""How images are changed each time that training reads them, so that none is learnt by heart.

Each is drawn from torch's global generator, so that a resumed run draws the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from manyheads.errors import RecipeError
from manyheads.tasks.images.samples import ImageBatch, Mixed


@runtime_checkable
class Augmentation(Protocol):
    """A random change of a batch of images."""

    def __call__(self, batch: ImageBatch) -> ImageBatch:
        """Return the batch with every image changed by a draw of its own."""


@dataclass(frozen=True)
class Shift:
    """Move an image by up to `share` of its sides, drawn evenly; its edges are repeated.

    It is the crop from a padded image of He et al. 2016 (section 4.2), by parts of the side.
    """

    share: float = 0.1

    def __post_init__(self) -> None:
        _check_share("share", self.share)

    def __call__(self, batch: ImageBatch) -> ImageBatch:
        """Return the batch with every image moved."""
        count, _, height, width = batch.pixels.shape
        rows_NH = self._moved(count, height)[:, None, :, None]
        columns_NW = self._moved(count, width)[:, None, None, :]
        images, channels = torch.arange(count), torch.arange(batch.pixels.shape[1])
        pixels = batch.pixels[
            images[:, None, None, None], channels[:, None, None], rows_NH, columns_NW
        ]
        return replace(batch, pixels=pixels)

    def _moved(self, count: int, side: int) -> Tensor:
        """Return where each image's lines are taken from, (N, side)."""
        most = round(self.share * side)
        by_N = torch.randint(-most, most + 1, (count, 1))
        return (torch.arange(side) + by_N).clamp(0, side - 1)


@dataclass(frozen=True)
class Flip:
    """Turn left and right about; not for what is written, which is something else in a mirror."""

    probability: float = 0.5

    def __post_init__(self) -> None:
        _check_share("probability", self.probability)

    def __call__(self, batch: ImageBatch) -> ImageBatch:
        """Return the batch with some images mirrored."""
        chosen_N = torch.rand(len(batch)) < self.probability
        pixels = torch.where(chosen_N[:, None, None, None], batch.pixels.flip(-1), batch.pixels)
        return replace(batch, pixels=pixels)


@dataclass(frozen=True)
class Erase:
    """Random erasing (Zhong et al. 2020): fill a rectangle with the mean colour.

    It covers from `least` to `most` of the image's area, and its sides differ by a factor
    of up to `ratio`.
    """

    probability: float = 0.25
    least: float = 0.02
    most: float = 0.33
    ratio: float = 3.3

    def __post_init__(self) -> None:
        _check_share("probability", self.probability)
        _check_share("most", self.most)
        if not 0 < self.least <= self.most or not self.ratio >= 1:
            raise RecipeError(
                f"least={self.least}, most={self.most}, ratio={self.ratio}: choose 0 < least <= "
                "most, and a ratio from 1"
            )

    def __call__(self, batch: ImageBatch) -> ImageBatch:
        """Return the batch with a part of some images erased."""
        count, _, height, width = batch.pixels.shape
        chosen_N = torch.rand(count) < self.probability
        area_N = _between(self.least, self.most, count) * height * width
        ratio_N = _between(-math.log(self.ratio), math.log(self.ratio), count).exp()
        rows_NH = _stretch(height, (area_N * ratio_N).sqrt())
        columns_NW = _stretch(width, (area_N / ratio_N).sqrt())
        erased = chosen_N[:, None, None] & rows_NH[:, :, None] & columns_NW[:, None, :]
        return replace(batch, pixels=batch.pixels.masked_fill(erased[:, None], 0.0))


@dataclass(frozen=True)
class Mixup:
    """Mix images by pairs, and their targets with them (Zhang et al. 2018).

    The share of the one is drawn from Beta(alpha, alpha), the rest is of another.
    """

    alpha: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.alpha < math.inf:
            raise RecipeError(f"alpha={self.alpha} is not positive; choose such as 0.2")

    def __call__(self, batch: ImageBatch) -> ImageBatch:
        """Return the batch with every image mixed with another one of it."""
        assert batch.targets is not None
        alphas_N = torch.full((len(batch),), self.alpha)
        shares_N = torch.distributions.Beta(alphas_N, alphas_N).sample()
        others = torch.randperm(len(batch))
        pixels = batch.pixels[others].lerp(batch.pixels, shares_N[:, None, None, None])
        return replace(batch, pixels=pixels, mixed=Mixed(batch.targets[others], shares_N))


def _between(low: float, high: float, count: int) -> Tensor:
    return low + (high - low) * torch.rand(count)


def _stretch(side: int, lengths_N: Tensor) -> Tensor:
    """Return which of `side` lines a stretch of each length covers, somewhere within: (N, side)."""
    lengths_N = lengths_N.round().clamp(1, side)
    starts_N = (torch.rand(len(lengths_N)) * (side - lengths_N + 1)).floor()
    lines = torch.arange(side)
    return (lines >= starts_N[:, None]) & (lines < (starts_N + lengths_N)[:, None])


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise RecipeError(f"{name}={value} is outside 0 to 1")
