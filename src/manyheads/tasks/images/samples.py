"""Images as a task learns from them: examples, batches, and what makes the one of the other."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from manyheads.errors import ConfigError
from manyheads.hub import Pretrained
from manyheads.image import ImageSource, Picture, Preparation, preparation_of
from manyheads.text import Encoded

_HELD_BYTES = 2**31  # pixels of a split that are held in memory; beyond, files are read each time


@dataclass(frozen=True, slots=True)
class ImageExample:
    """One row, ready for a batch: its number in the split, its image, what to learn from it."""

    row: int
    picture: Picture
    tokens: int
    target: Any = None

    @property
    def texts(self) -> tuple[Encoded, ...]:
        """No text was read."""
        return ()

    def digest(self, seed: int) -> int:
        """Return a checksum of image and target, going on from `seed`."""
        return zlib.crc32(repr(self.target).encode(), zlib.crc32(self.picture.checksum(), seed))


@dataclass(frozen=True)
class Mixed:
    """Whose images are mixed in, by their targets (N), and how much (N) is not of them."""

    targets: Tensor
    shares: Tensor


@dataclass(frozen=True)
class ImageBatch:
    """N images of one size, and so of one length: T tokens in all."""

    rows: tuple[int, ...]
    pixels: Tensor  # (N, C, H, W), normalised
    tokens: int
    targets: Tensor | None  # (N)
    mixed: Mixed | None = None

    @classmethod
    def of(cls, examples: Sequence[ImageExample]) -> Self:
        """Lay the images of one reader together, with their targets where they have any."""
        pixels = np.stack(pixels_of([example.picture for example in examples]))
        targets = [example.target for example in examples]
        normalised = examples[0].picture.preparation.normalised(pixels)
        return cls(
            rows=tuple(example.row for example in examples),
            pixels=torch.from_numpy(normalised),
            tokens=sum(example.tokens for example in examples),
            targets=None if targets[0] is None else torch.tensor(targets),
        )

    def __len__(self) -> int:
        return len(self.rows)

    def to(self, device: torch.device) -> ImageBatch:
        """Return the batch on another device."""
        if self.pixels.device == device:
            return self
        mixed = self.mixed
        if mixed is not None:
            mixed = Mixed(mixed.targets.to(device), mixed.shares.to(device))
        return replace(
            self,
            pixels=self.pixels.to(device, non_blocking=True),
            targets=None if self.targets is None else self.targets.to(device, non_blocking=True),
            mixed=mixed,
        )


@dataclass(frozen=True)
class ImageReader:
    """How images are made ready for a model, and how many tokens it makes of each."""

    preparation: Preparation
    tokens: int

    @classmethod
    def of(cls, pretrained: Pretrained) -> Self:
        """Return the reader of a model; raises `ConfigError` for one that reads no images, or
        whose folder does not say how.
        """
        patches = pretrained.transformer.spec.embed.patches
        if patches is None:
            raise ConfigError(
                f"a model of the family {pretrained.family.name} reads texts, not images; choose a "
                "Vision Transformer, or mh.ScratchImages() (--model scratch)"
            )
        preparation = preparation_of(pretrained.preprocessor, patches.channels, patches.image)
        return cls(preparation, patches.tokens)

    def read(self, sources: Sequence[ImageSource]) -> list[Picture]:
        """Return the images as the model reads them, in memory where there is room for all.

        Raises `ImageError` naming one that cannot be decoded.
        """
        size = self.preparation.channels * int(np.prod(self.preparation.size))
        pictures = [Picture(source, self.preparation) for source in sources]
        if size * len(sources) > _HELD_BYTES:
            return pictures
        held = zip(pictures, pixels_of(pictures), strict=True)
        return [replace(picture, held=pixels) for picture, pixels in held]


def pixels_of(pictures: Sequence[Picture]) -> list[np.ndarray]:
    """Return the pixels of all pictures, (C, H, W) each; files are decoded several at once."""
    if all(picture.held is not None for picture in pictures):
        return [picture.pixels() for picture in pictures]
    with ThreadPoolExecutor() as threads:
        return list(threads.map(Picture.pixels, pictures))
