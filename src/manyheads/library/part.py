"""A part of a library: documents that came together, and all that they are found by.

    part-000007/documents.arrow     source, id, title, checksum, text
    part-000007/passages.arrow      document, start, end, text, words, digest
    part-000007/words.arrow         which words stand in which passages
    part-000007/vectors.npy, graph.usearch

What is written is never changed. Documents that are gone are only said to be, outside.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from manyheads.core.similarity import Similarity
from manyheads.hub.atomic import sync_folder
from manyheads.library.meaning import VectorIndex
from manyheads.library.words import WordIndex

_DOCUMENTS = pa.schema(
    {
        "source": pa.string(),
        "id": pa.string(),
        "title": pa.string(),
        "checksum": pa.string(),
        "text": pa.large_string(),
    }
)
_PASSAGES = pa.schema(
    {
        "document": pa.int64(),
        "start": pa.int64(),
        "end": pa.int64(),
        "text": pa.large_string(),
        "words": pa.int32(),
        "digest": pa.binary(32),
    }
)


@dataclass(frozen=True, eq=False)
class Part:
    """Documents, their passages, and what passages are found by.

    Attributes:
        documents: A row for each.
        passages: A row for each of N, with its document's row.
        gone: The rows of documents that are not in the library any more.
        name: Its folder's name.
    """

    documents: pa.Table
    passages: pa.Table
    words: WordIndex
    meaning: VectorIndex
    gone: frozenset[int] = field(default_factory=frozenset)
    name: str = ""

    @classmethod
    def of(
        cls,
        documents: Mapping[str, Any],
        passages: Mapping[str, Any],
        words: WordIndex,
        meaning: VectorIndex,
    ) -> Self:
        """Make it of columns."""
        columns = {**passages, "words": words.lengths_N}
        return cls(
            pa.table(dict(documents), schema=_DOCUMENTS),
            pa.table(columns, schema=_PASSAGES),
            words,
            meaning,
        )

    @classmethod
    def open(cls, folder: Path, gone: frozenset[int], similarity: Similarity) -> Self:
        """Open what `save` wrote; its files are mapped into memory, not read."""
        documents, passages, words = (
            _read(folder / f"{name}.arrow") for name in ("documents", "passages", "words")
        )
        index = WordIndex(words, passages["words"].to_numpy())
        meaning = VectorIndex.open(folder, similarity)
        return cls(documents, passages, index, meaning, gone, folder.name)

    def save(self, folder: Path) -> None:
        """Write it into a new folder, onto the disk."""
        folder.mkdir()
        tables = {"documents": self.documents, "passages": self.passages, "words": self.words.table}
        for name, table in tables.items():
            _write(folder / f"{name}.arrow", table)
        self.meaning.save(folder)
        for path in folder.iterdir():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        sync_folder(folder)
        sync_folder(folder.parent)

    @cached_property
    def present(self) -> np.ndarray:
        """Which of D documents are not gone."""
        there_D = np.ones(len(self.documents), bool)
        there_D[list(self.gone)] = False
        return there_D

    @cached_property
    def alive(self) -> np.ndarray:
        """Which passages are of documents that are not gone."""
        alive_N: np.ndarray = self.present[self.owners]
        return alive_N

    @cached_property
    def owners(self) -> np.ndarray:
        """The row of each passage's document."""
        rows_N: np.ndarray = self.passages["document"].to_numpy()
        return rows_N


def _read(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def _write(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table.combine_chunks())
