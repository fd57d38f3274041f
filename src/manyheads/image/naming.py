"""What may stand for an image, and what it is known by; nothing of it is decoded here."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jfif", ".gif", ".bmp", ".webp", ".avif", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2"),
)
# A file, the bytes of one, an array uint8 (H, W) or (H, W, C), or an image of Pillow.
ImageSource: TypeAlias = Union[str, Path, bytes, "NDArray[np.uint8]", "Image"]


def image_name(source: ImageSource) -> str:
    """Return what a person knows an image by: its file, or its size."""
    if isinstance(source, str | Path):
        return str(source)
    if isinstance(source, bytes):
        return f"image of {len(source):,} bytes"
    height, width = _size(source)
    return f"image of {width} x {height} pixels"


def image_key(source: ImageSource) -> str:
    """Return a checksum that is equal for equal files, or equal pixels in memory.

    That of a file that cannot be read is the one of its name.
    """
    digest = hashlib.blake2b(digest_size=16)
    if isinstance(source, str | Path):
        try:
            digest.update(Path(source).read_bytes())
        except OSError:
            digest.update(str(source).encode(errors="surrogateescape"))
    elif isinstance(source, bytes):
        digest.update(source)
    else:
        digest.update(repr(_size(source)).encode() + source.tobytes())
    return digest.hexdigest()


def _size(source: NDArray[np.uint8] | Image) -> tuple[int, int]:
    """Return the height and width of an image in memory."""
    shape = getattr(source, "shape", None)
    return (source.height, source.width) if shape is None else (shape[0], shape[1])
