"""How images are made ready for a model: their kind, their size, and the range of their values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import ImageError
from manyheads.image.decoding import checked_array, decode
from manyheads.image.naming import ImageSource, image_key, image_name

if TYPE_CHECKING:
    from PIL.Image import Image

_MODES = {1: "L", 3: "RGB"}


class Resample(IntEnum):
    """How pixels between pixels are found, by the numbers that Pillow and published folders use."""

    NEAREST = 0
    LANCZOS = 1
    BILINEAR = 2
    BICUBIC = 3
    BOX = 4
    HAMMING = 5


@dataclass(frozen=True)
class Preparation:
    """From any image to what a model reads: (x·scale - mean)/deviation of resized pixels x.

    `size` is (height, width). Images are resized whole, whatever their shape; without `resample`
    they must have the size. Grey images serve models of three channels, and the reverse.
    """

    channels: int
    size: tuple[int, int]
    resample: Resample | None
    scale: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def pixels(self, source: ImageSource) -> NDArray[np.uint8]:
        """Return the resized pixels of an image, (C, H, W).

        Raises `ImageError` for one that cannot be decoded, or that has another size where none is
        to be resized; `MissingExtra` without Pillow.
        """
        if isinstance(source, np.ndarray) and self._fits(array := checked_array(source)):
            return np.atleast_3d(array).transpose(2, 0, 1)
        image = decode(source)
        if image.size != self.size[::-1]:
            image = self._resized(image, image_name(source))
        return np.atleast_3d(np.asarray(image.convert(_MODES[self.channels]))).transpose(2, 0, 1)

    def normalised(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return pixels (…, C, H, W) as the model reads them."""
        scale = np.array(self.scale / np.array(self.deviation), dtype=np.float32)
        offset = np.array(np.array(self.mean) / np.array(self.deviation), dtype=np.float32)
        result: NDArray[np.float32] = pixels * scale[:, None, None] - offset[:, None, None]
        return result

    def _fits(self, array: NDArray[Any]) -> bool:
        channels = array.shape[2] if array.ndim == 3 else 1
        return array.shape[:2] == self.size and channels == self.channels

    def _resized(self, image: Image, name: str) -> Image:
        height, width = self.size
        if self.resample is None:
            raise ImageError(
                f"{name}: {image.width} x {image.height} pixels are not the {width} x {height} of "
                "this model, whose preprocessor_config.json says do_resize=false; resize it"
            )
        return image.resize((width, height), int(self.resample))


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as a model reads it: held, or made ready again each time it is looked at."""

    source: ImageSource
    preparation: Preparation
    held: NDArray[np.uint8] | None = None

    def pixels(self) -> NDArray[np.uint8]:
        """Return its pixels, (C, H, W); raises `ImageError` where they cannot be had."""
        return self.preparation.pixels(self.source) if self.held is None else self.held

    def checksum(self) -> bytes:
        """Return what differs for images that differ."""
        return image_key(self.source).encode() if self.held is None else self.held.tobytes()
