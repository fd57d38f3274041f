"""Vectors of many texts, and how much memory that took; started by test_encode.

    python measuring.py FILE ROWS

Prints the bytes of the vectors, and how much more memory the process held at its peak than before.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from manyheads.bulk import NpyFile, ParquetFile, encode

WIDTH = 512
IMPORTED = (pq,)  # what is imported late elsewhere


class Numbering:
    """Makes a vector of a text by its number."""

    facts = {"model": "numbers"}  # noqa: RUF012 - it never changes

    def encode(
        self, texts: Sequence[str], progress: Callable[[int], None] = lambda _: None
    ) -> tuple[np.ndarray, list[int]]:
        numbers = np.array([int(text) for text in texts], np.float32)
        return np.repeat(numbers[:, None], WIDTH, axis=1), [0] * len(texts)


def peak() -> int:
    """The most memory that this process held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(out: Path, rows: int) -> None:
    """Run all; see above."""
    texts = [str(number) for number in range(rows)]
    table = pa.table({"text": texts})
    output = NpyFile(out) if out.suffix == ".npy" else ParquetFile(out, table)
    before = peak()
    encode(texts, Numbering(), output, shard_rows=1000)
    print(rows * WIDTH * 4, peak() - before)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
