"""The one file in the end: it has its name only when all of it is on the disk."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np

from manyheads.hub.atomic import atomic_file, write_all

if TYPE_CHECKING:
    import pyarrow as pa

VECTOR = "vector"  # the column of a table
_GROUP_BYTES = 16 << 20  # of vectors that are written at once


class Output(Protocol):
    """A file of vectors."""

    @property
    def path(self) -> Path:
        """What it is called."""

    def write(self, shape: tuple[int, int], parts: Iterable[np.ndarray]) -> None:
        """Write all vectors, of this shape (N, E), which come in parts."""


@dataclass(frozen=True)
class NpyFile:
    """An array (N, E) of float32, which NumPy can also map into memory."""

    path: Path

    def write(self, shape: tuple[int, int], parts: Iterable[np.ndarray]) -> None:
        """Write all vectors, of this shape (N, E), which come in parts."""
        header = io.BytesIO()
        said = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, said)
        with atomic_file(self.path) as file:
            write_all(file, header.getvalue())
            for vectors_NE in parts:
                write_all(file, np.ascontiguousarray(vectors_NE, "<f4").data.cast("B"))


@dataclass(frozen=True)
class ParquetFile:
    """A table with a column of lists of float32 behind all others."""

    path: Path
    table: pa.Table

    def write(self, shape: tuple[int, int], parts: Iterable[np.ndarray]) -> None:
        """Write all vectors, of this shape (N, E), which come in parts."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = self.table.schema.append(pa.field(VECTOR, pa.list_(pa.float32())))
        start = 0
        with (
            atomic_file(self.path) as raw,
            _buffered(raw) as file,
            pq.ParquetWriter(file, schema) as writer,
        ):
            for vectors_NE in _groups(parts):
                rows = self.table.slice(start, len(vectors_NE))
                start += len(vectors_NE)
                writer.write_table(rows.append_column(schema.field(VECTOR), _lists(vectors_NE)))


@contextmanager
def _buffered(raw: BinaryIO) -> Iterator[BinaryIO]:
    """Let a file take all that is written at once; it stays open behind it."""
    file = io.BufferedWriter(raw)
    yield file
    file.flush()
    file.detach()


def _groups(parts: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
    """Cut parts into groups of rows that are written at once."""
    for vectors_NE in parts:
        rows = max(1, _GROUP_BYTES // (4 * vectors_NE.shape[1]))
        for start in range(0, len(vectors_NE), rows):
            yield vectors_NE[start : start + rows]


def _lists(vectors_NE: np.ndarray) -> pa.ListArray:
    import pyarrow as pa

    count, width = vectors_NE.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, vectors_NE.ravel())
