"""The model of a library: opened, asked for vectors, and told from others by one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from manyheads.errors import ConfigError
from manyheads.library.store import Manifest
from manyheads.predict import Embedder, load, task_of

_CHECKED = "Whoever reads this twice gets the same vector. 同一个模型，同一个向量。"
_SAME = 0.02  # of the largest number: other models differ more, products in bfloat16 less


def vectors_of(
    embedder: Embedder, texts: Sequence[str], progress: Callable[[int], None] = lambda _: None
) -> np.ndarray:
    """Return the vectors of passages (N, E)."""
    prompt = embedder.sentences.prompts.document
    return embedder.embed(texts, prompt=prompt, progress=progress).vectors


def check_vector(embedder: Embedder) -> np.ndarray:
    """Return the vector (E) by which a model is known."""
    vector_E: np.ndarray = vectors_of(embedder, [_CHECKED])[0]
    return vector_E


def opened(
    embedder: Embedder | str | Path, device: torch.device | str, half: bool = False
) -> Embedder:
    """Return the model of a reference, halved if wanted.

    Raises `ConfigError` for one that makes no vectors, and where it cannot be halved.
    """
    loaded = embedder if isinstance(embedder, Embedder) else load(embedder, device=device)
    if not isinstance(loaded, Embedder):
        raise ConfigError(
            f"{embedder} is a model for {task_of(loaded)}, which makes no vectors; choose a folder "
            "of sentence-transformers"
        )
    return loaded.halved() if half else loaded


def reference_of(embedder: Embedder | str | Path) -> str:
    """Return what the model is opened by again, from whatever folder.

    Raises `ConfigError` for a model that lies in none.
    """
    if isinstance(embedder, Embedder):
        if embedder.pretrained.folder is None:
            raise ConfigError(
                "the model of a library is opened again with it, and this one lies in no folder; "
                "save it, and open that"
            )
        return str(embedder.pretrained.folder.resolve())
    path = Path(embedder).expanduser()
    return str(path.resolve()) if path.exists() else str(embedder)


def require_same(embedder: Embedder, manifest: Manifest, folder: Path) -> None:
    """Raise `ConfigError` for a model that makes other vectors than those of the library."""
    made_E, there_E = check_vector(embedder), np.array(manifest.check)
    largest = float(np.abs(there_E).max())
    if made_E.shape == there_E.shape and np.allclose(made_E, there_E, 0, _SAME * largest):
        return
    raise ConfigError(
        f"{folder} has vectors of {len(there_E)} numbers by {manifest.embedder}, and this model "
        f"makes others, of {len(made_E)}; open it with the model that made it, or index its "
        "sources anew"
    )
