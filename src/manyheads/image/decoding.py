"""From a file, bytes or an array to an image of 8 bits that is upright, and grey or RGB."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import ImageError, MissingExtra
from manyheads.image.naming import ImageSource, image_name

if TYPE_CHECKING:
    from PIL.Image import Image

_WHITE = (255, 255, 255, 255)
_GREY = ("1", "L", "LA", "La")
# What Pillow raises for damaged files, by format.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error)


def decode(source: ImageSource, near: tuple[int, int] | None = None) -> Image:
    """Return an image in mode L or RGB, turned as its EXIF data say; the first of an animation.

    What is transparent shows white, 16 bits become 8. With `near`, (width, height), a large JPEG
    is decoded faster, to a size that is not much above it.
    Raises `ImageError` naming the file that is missing or damaged, or an array of another kind;
    `MissingExtra` without Pillow.
    """
    library = _pillow()
    try:
        return _opaque(_upright(_opened(source, near, library)))
    except FileNotFoundError:
        raise ImageError(f"{image_name(source)}: no such file") from None
    except library.UnidentifiedImageError:
        raise ImageError(
            f"{image_name(source)}: not an image of a known format; replace it or take it out"
        ) from None
    except ImageError:
        raise
    except (*_DAMAGED, library.Image.DecompressionBombError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ImageError(
            f"{image_name(source)}: cannot be decoded ({reason}); replace it or take it out"
        ) from None


def _opened(source: ImageSource, near: tuple[int, int] | None, library: Any) -> Image:
    """Return an image as its format has it, with all of its file read."""
    match source:
        case np.ndarray():
            return library.Image.fromarray(checked_array(source))
        case library.Image.Image():
            return source
        case str() | Path() | bytes():
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            with library.Image.open(file) as image:
                if near is not None:
                    image.draft(None, near)
                image.load()
                return image
    raise ImageError(
        f"{type(source).__name__!r} is no image; give a path, an array or an image of Pillow"
    )


def fault_of(source: ImageSource) -> str | None:
    """Return why an image cannot be decoded, None where it can: all of the file is read."""
    try:
        if isinstance(source, np.ndarray):
            checked_array(source)
        else:
            decode(source, near=(1, 1))
    except ImageError as error:
        return str(error)
    return None


def checked_array(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Return an image in memory without an axis of one channel, (H, W) or (H, W, C).

    Raises `ImageError` for other shapes, or values that are no bytes.
    """
    if image.dtype != np.uint8:
        raise ImageError(
            f"an array of {image.dtype} is no image; images in memory are uint8 from 0 to 255, "
            "scale them and use .astype('uint8')"
        )
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.ndim not in (2, 3) or channels not in (1, 3, 4) or 0 in image.shape:
        raise ImageError(
            f"an array of shape {image.shape} is no image; images in memory are (H, W) or "
            "(H, W, C) of 1, 3 or 4 channels"
        )
    return image[:, :, 0] if image.ndim == 3 and channels == 1 else image


def _upright(image: Image) -> Image:
    return _pillow().ImageOps.exif_transpose(image)


def _opaque(image: Image) -> Image:
    """Return an image as L or RGB."""
    if image.mode.startswith("I"):
        return _of_16_bits(image)
    if image.mode == "F":
        raise ValueError("the range of floating-point pixels is not known; save it with 8 bits")
    grey = image.mode in _GREY
    if image.has_transparency_data:
        library = _pillow()
        image = image.convert("RGBA")
        white = library.Image.new("RGBA", image.size, _WHITE)
        image = library.Image.alpha_composite(white, image)
    return image.convert("L" if grey else "RGB")


def _of_16_bits(image: Image) -> Image:
    """Return a grey image of 16 bits in 8; `convert` of Pillow would cut all above 255."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise ValueError(f"pixels from {values.min()} to {values.max()} take more than 16 bits")
    grey = (values.astype(np.uint32) + 128) // 257
    return _pillow().Image.fromarray(grey.astype(np.uint8))


def _pillow() -> Any:
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError:
        raise MissingExtra("pillow", "image", "decoding images") from None
    return PIL
