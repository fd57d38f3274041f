"""Vectors of an update that has not ended: whoever was stopped need not make them again."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from manyheads.hub.atomic import write_atomically

_DIGEST = 32  # bytes


class Pending:
    """Files of vectors beside checksums of their texts, each of which is whole or not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> dict[bytes, np.ndarray]:
        """Return the vectors that are there by the checksums of their texts."""
        found: dict[bytes, np.ndarray] = {}
        for path in sorted(self._folder.glob("*.safetensors")):
            try:
                tensors = load_file(path)
            except SafetensorError:  # somebody damaged it: its vectors are made again
                continue
            digests = map(bytes, tensors["digests"])
            found.update(zip(digests, tensors["vectors"], strict=True))
        return found

    def write(self, texts: Sequence[str], vectors_NE: np.ndarray) -> None:
        """Keep the vectors of some texts."""
        self._folder.mkdir(exist_ok=True)
        digests = np.frombuffer(b"".join(map(digest, texts)), np.uint8).reshape(-1, _DIGEST)
        content = save({"vectors": np.ascontiguousarray(vectors_NE), "digests": digests})
        write_atomically(self._folder / f"{digest(''.join(texts)).hex()}.safetensors", content)

    def remove(self) -> None:
        """Delete all: they stand in a part now."""
        shutil.rmtree(self._folder, ignore_errors=True)


def digest(text: str) -> bytes:
    """Return the checksum of a text."""
    return hashlib.sha256(text.encode()).digest()
