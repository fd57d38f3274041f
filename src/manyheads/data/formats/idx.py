"""IDX files, as MNIST and its kin are published: arrays of bytes with their shape in front."""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from manyheads.data.formats.files import read_bytes, require_path
from manyheads.data.formats.folder import entries
from manyheads.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_IMAGES = re.compile(r"(?:.*-)?(train|t10k|test|valid)-images[-.]idx[34]-ubyte(\.gz)?")
_SPLIT_OF = {"t10k": "test"}
_UNSIGNED_BYTE = 8


def idx_splits(folder: Path) -> dict[str, Path]:
    """Return the file of images of each split: ``train-images-idx3-ubyte.gz``, ``t10k-…``.

    Raises `DataError` where two claim to be the same split.
    """
    found: dict[str, Path] = {}
    for entry in entries(folder):
        if match := _IMAGES.fullmatch(entry.name):
            split = _SPLIT_OF.get(match[1], match[1])
            if split in found:
                raise DataError(
                    f"{folder}: both {found[split].name} and {entry.name} are the {split} split; "
                    "move one of them away"
                )
            found[split] = entry
    return found


def is_idx(path: Path) -> bool:
    """Whether a file is named as images in this format are."""
    return _IMAGES.fullmatch(path.name) is not None


def read_labelled(images: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return images (N, H, W) or (N, H, W, C), and the labels (N) of the file beside them.

    Raises `DataError` for files that are missing, damaged, or do not belong together.
    """
    beside = images.with_name(re.sub(r"images([-.])idx[34]", r"labels\1idx1", images.name))
    pixels, labels = _read(images), _read(beside)
    if pixels.ndim not in (3, 4) or labels.ndim != 1 or len(pixels) != len(labels):
        raise DataError(
            f"{images}: images of shape {pixels.shape} do not belong to labels of shape "
            f"{labels.shape} in {beside.name}; copy both again"
        )
    return pixels, labels


def _read(path: Path) -> NDArray[np.uint8]:
    import numpy as np

    require_path(path)
    data = read_bytes(path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != _UNSIGNED_BYTE:
        raise DataError(f"{path}: not an IDX file of bytes; copy it again")
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise DataError(f"{path}: damaged IDX file (cut short in its head); copy it again")
    shape = struct.unpack(f">{data[3]}I", data[4:start])
    if len(data) - start != math.prod(shape):
        raise DataError(
            f"{path}: damaged IDX file ({len(data) - start:,} bytes for the shape {shape}); "
            "copy it again"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
