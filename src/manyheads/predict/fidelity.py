"""Whether a model still answers as it did when it was saved.

Vectors of a few texts lie beside the weights. Other libraries, machines and ways of packing round
otherwise, so that small differences are none; a tokenizer, a pooling or weights that were exchanged
make large ones, without anything else looking wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from manyheads.errors import CheckpointError

CHECK = "manyheads_check.safetensors"
TEXTS = (
    "This sentence is here to see whether a model answers as it did.",
    "Another one: 12.50 €, signs & numbers (2 of 3)!",
    "今天的天气很好，我们去公园散步吧。",
)
_TOLERANCE = 0.02  # of the largest number
_NAME = "vectors_NE"

Vectors = Callable[[Sequence[str]], np.ndarray]


def write_check(folder: Path, vectors: Vectors) -> None:
    """Write what a model answers now."""
    found = np.ascontiguousarray(vectors(TEXTS), dtype=np.float32)
    save_file({_NAME: found}, folder / CHECK)


def require_fidelity(folder: Path, vectors: Vectors) -> None:
    """Raise `CheckpointError` where a model answers otherwise than when it was saved.

    A folder that says nothing of it is believed.
    """
    path = folder / CHECK
    if not path.is_file():
        return
    try:
        expected = load_file(path)[_NAME]
    except (OSError, KeyError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); restore or delete it") from error
    found = vectors(TEXTS)
    if found.shape != expected.shape:
        raise CheckpointError(
            f"{folder} answers with {found.shape[1]} numbers and was saved with "
            f"{expected.shape[1]}; restore it, or delete {CHECK} if it was changed on purpose"
        )
    limit = _TOLERANCE * max(1.0, float(np.abs(expected).max()))
    difference = float(np.abs(found - expected).max())
    if not difference <= limit:
        raise CheckpointError(
            f"{folder} answers otherwise than when it was saved, by {difference:.3g} where "
            f"{limit:.3g} is allowed; restore its files, or delete {CHECK} if it was changed on "
            "purpose"
        )
