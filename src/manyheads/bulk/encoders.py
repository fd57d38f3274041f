"""What makes the vectors: a model in this process, or a service."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from manyheads.client import Client, Truncate
from manyheads.errors import TooLong
from manyheads.hub import locate
from manyheads.text import Head, Tail, Windows

if TYPE_CHECKING:
    from manyheads.predict import Embedder

Progress = Callable[[int], None]  # told of so many texts more

_MODEL_FILES = (".json", ".safetensors", ".bin", ".txt", ".model", ".spm")
_CHUNK = 1 << 20
_TRUNCATIONS: dict[Truncate, type[Head | Tail | Windows]] = {
    Truncate.ERROR: Head,
    Truncate.HEAD: Head,
    Truncate.TAIL: Tail,
    Truncate.WINDOWS: Windows,
}


class Encoder(Protocol):
    """Makes vectors of texts."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What another run must share for its vectors to stand beside these, as JSON."""

    def encode(
        self, texts: Sequence[str], progress: Progress = lambda _: None
    ) -> tuple[np.ndarray, list[int]]:
        """Return vectors (N, E), and how many tokens of each text the model did not see."""


class LocalEncoder:
    """A model in this process, which was opened from a `reference`."""

    def __init__(
        self,
        embedder: Embedder,
        reference: str | Path,
        *,
        prompt: str | None = None,
        dimensions: int | None = None,
        truncate: Truncate | None = None,
        batch_tokens: int = 1024,
    ) -> None:
        self._embedder = embedder
        self._reference = reference
        self._prompt = prompt
        self._dimensions = dimensions
        self._truncate = truncate
        self._batch_tokens = batch_tokens
        if truncate is not None:
            embedder.truncation = _TRUNCATIONS[truncate](embedder.truncation.max_tokens)

    @property
    def facts(self) -> Mapping[str, Any]:
        """The model by what is in its files, and how it is asked."""
        return {
            "model": digest_of_model(locate(self._reference)),
            "prompt": self._prompt,
            "dimensions": self._dimensions,
            "truncate": self._truncate,
            "batch_tokens": self._batch_tokens,
            "device": str(self._embedder.transformer.device),
        }

    def encode(
        self, texts: Sequence[str], progress: Progress = lambda _: None
    ) -> tuple[np.ndarray, list[int]]:
        """Return vectors (N, E), and how many tokens of each text the model did not see.

        Raises what `Embedder.embed` raises, and `TooLong` where nothing is to be cut.
        """
        found = self._embedder.embed(
            texts,
            prompt=self._prompt,
            dimensions=self._dimensions,
            batch_tokens=self._batch_tokens,
            progress=progress,
        )
        if self._truncate is Truncate.ERROR:
            self._refuse_cut(found.tokens, found.truncated)
        return found.vectors, found.truncated

    def _refuse_cut(self, tokens: Sequence[int], truncated: Sequence[int]) -> None:
        for number, (count, lost) in enumerate(zip(tokens, truncated, strict=True), 1):
            if lost:
                raise TooLong(
                    f"text {number} has {count} tokens and the model reads "
                    f"{self._embedder.truncation.max_tokens}; shorten it, or let it be cut"
                )


class ServiceEncoder:
    """A model that a service holds; which one is said by its name, not by where it answers."""

    def __init__(
        self,
        client: Client,
        *,
        model: str | None = None,
        prompt: str | None = None,
        dimensions: int | None = None,
        truncate: Truncate | None = None,
    ) -> None:
        self._client = client
        self._model = model
        self._prompt = prompt
        self._dimensions = dimensions
        self._truncate = truncate

    @property
    def facts(self) -> Mapping[str, Any]:
        """The model by its name, and how it is asked."""
        return {
            "served_model": self._model,
            "prompt": self._prompt,
            "dimensions": self._dimensions,
            "truncate": self._truncate,
        }

    def encode(
        self, texts: Sequence[str], progress: Progress = lambda _: None
    ) -> tuple[np.ndarray, list[int]]:
        """Return vectors (N, E), and how many tokens of each text the model did not see.

        Raises what `Client.embeddings` raises.
        """
        found = self._client.embeddings(
            texts,
            prompt=self._prompt,
            dimensions=self._dimensions,
            truncate=self._truncate,
            model=self._model,
            progress=progress,
        )
        return found.vectors, found.truncated


def digest_of_model(folder: Path) -> str:
    """Return a checksum of the files that say what a model is, and of their names."""
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in _MODEL_FILES]
    digest = hashlib.sha256()
    for path in files if folder.is_dir() else [folder]:
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name}\n{path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
