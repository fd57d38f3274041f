"""All that a library holds: its parts, searched as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from manyheads.library.documents import Document
from manyheads.library.part import Part
from manyheads.library.words import best, bm25

Place = tuple[int, int]  # the number of a part, and a row in it


@dataclass(frozen=True, eq=False)
class Collected:
    """N documents: what they come from, their ids and texts, and their mean vectors (N, E)."""

    sources: list[str]
    ids: list[str]
    texts: list[str]
    vectors: np.ndarray


@dataclass(frozen=True, eq=False)
class Contents:
    """The parts of a library; its N passages are numbered through all of them."""

    parts: Sequence[Part]

    def __len__(self) -> int:
        """How many documents there are."""
        return sum(len(one.documents) - len(one.gone) for one in self.parts)

    @cached_property
    def passages(self) -> int:
        """How many passages there are."""
        return sum(int(one.alive.sum()) for one in self.parts)

    @cached_property
    def sources(self) -> dict[str, int]:
        """How many documents there are of each source, in their order."""
        counts: Counter[str] = Counter()
        for part in self.parts:
            there = part.documents["source"].filter(pa.array(part.present))
            counts.update(
                {one["values"]: one["counts"] for one in there.value_counts().to_pylist()}
            )
        return dict(counts)

    def checksums(self, source: str) -> dict[str, tuple[Place, str]]:
        """Return where each document of a source is, by its id, and its checksum."""
        found: dict[str, tuple[Place, str]] = {}
        for number, part in enumerate(self.parts):
            rows = np.flatnonzero(_equal(part.documents["source"], source) & part.present)
            columns = part.documents.select(["id", "checksum"]).take(pa.array(rows)).to_pydict()
            for row, name, checksum in zip(rows.tolist(), *columns.values(), strict=True):
                found[name] = (number, row), checksum
        return found

    def find(self, name: str) -> list[Place]:
        """Return where documents of an id are, one at most of each source."""
        return [
            (number, row)
            for number, part in enumerate(self.parts)
            for row in np.flatnonzero(_equal(part.documents["id"], name) & part.present).tolist()
        ]

    def document(self, place: Place) -> tuple[str, Document]:
        """Return the source of a document, and the document."""
        number, row = place
        columns = self.parts[number].documents.select(["source", "id", "title", "text"]).columns
        source, name, title, text = (column[row].as_py() for column in columns)
        return source, Document(name, title, text)

    def mean_vector(self, place: Place) -> np.ndarray | None:
        """Return the mean of the vectors of a document's passages (E); None where it has none."""
        number, row = place
        part = self.parts[number]
        vectors_PE = part.meaning.vectors[part.owners == row]
        return vectors_PE.mean(0) if len(vectors_PE) else None

    def collected(self) -> Collected:
        """Return all documents that have passages, with the means of their vectors."""
        tables, means = [], []
        for part in self.parts:
            counts_D = np.bincount(part.owners, minlength=len(part.documents))
            rows = np.flatnonzero(part.present & (counts_D > 0))
            vectors_NE = np.asarray(part.meaning.vectors, np.float32)
            sums_DE = np.zeros((len(counts_D), vectors_NE.shape[1]), np.float32)
            np.add.at(sums_DE, part.owners, vectors_NE)
            means.append(sums_DE[rows] / counts_D[rows, None])
            tables.append(part.documents.select(["source", "id", "text"]).take(pa.array(rows)))
        if not tables:
            return Collected([], [], [], np.empty((0, 0), np.float32))
        columns = pa.concat_tables(tables).to_pydict()
        return Collected(columns["source"], columns["id"], columns["text"], np.concatenate(means))

    def vectors(self, digests: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        """Return the vectors that are there of what was read, by its checksums."""
        wanted = pa.array(digests, pa.binary(32))
        found: dict[bytes, np.ndarray] = {}
        for part in self.parts:
            rows = pc.index_in(wanted, value_set=part.passages["digest"]).to_pylist()
            there = ((one, row) for one, row in zip(digests, rows, strict=True) if row is not None)
            found.update((one, part.meaning.vectors[row]) for one, row in there)
        return found

    def by_words(self, query: str, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the `n` best passages that share a word with a query, and scores: (n), (n)."""
        indexes, alive = [one.words for one in self.parts], [one.alive for one in self.parts]
        scores = bm25(query, indexes, alive)
        return best(np.concatenate([np.empty(0, np.float32), *scores]), n, above=0.0)

    def by_meaning(self, query_E: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the `n` passages that are nearest to a vector, and how near: (n), (n)."""
        rows, scores = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
        for start, part in zip(self._starts, self.parts, strict=True):
            own, near = part.meaning.search(query_E, n, part.alive)
            rows.append(start + own)
            scores.append(near)
        order, values = best(np.concatenate(scores), n)
        return np.concatenate(rows)[order], values

    def passage(self, number: int) -> tuple[Place, int, int, str]:
        """Return the document of a passage, where it begins and ends there, and its text."""
        part = int(np.searchsorted(self._starts, number, side="right")) - 1
        columns = self.parts[part].passages.select(["document", "start", "end", "text"]).columns
        document, start, end, text = (
            column[number - int(self._starts[part])].as_py() for column in columns
        )
        return (part, document), start, end, text

    @cached_property
    def _starts(self) -> np.ndarray:
        """Return the number of the first passage of each part."""
        sizes = [len(one.passages) for one in self.parts]
        return np.cumsum([0, *sizes])[:-1]


def _equal(column: pa.ChunkedArray, value: str) -> np.ndarray:
    equal_D: np.ndarray = pc.equal(column, value).to_numpy()
    return equal_D
