"""What becomes of a library's contents when a source says something else than before.

documents of the source ─ same checksum ─→ stay where they are
                        └ another one ───→ the old one is gone; cut again, into a new part
passages of the new part ─ same text as any that is there ─→ vector as it was
                         └ another one ────────────────────→ embedded, kept in `pending` by groups
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import numpy as np

from manyheads.core.similarity import Similarity
from manyheads.errors import DataError, did_you_mean
from manyheads.library.contents import Contents, Place
from manyheads.library.documents import Document, Reading
from manyheads.library.meaning import VectorIndex
from manyheads.library.part import Part
from manyheads.library.pending import Pending, digest
from manyheads.library.words import WordIndex

_GROUP = 1024  # passages whose vectors are kept at a time
_TITLE = 120  # characters of a title that stand before each of its passages

Advance = Callable[[int], None]  # told of so many passages more
Bar = Callable[[int], AbstractContextManager[Advance]]  # shown over so many passages
Cut = Callable[[Sequence[str]], list[list[tuple[int, int]]]]
Embed = Callable[[Sequence[str], Advance], np.ndarray]


@dataclass(frozen=True)
class Update:
    """What an update found, in documents, and how many passages were embedded for it.

    `problems` has a line for each file that could not be read; such a file has no document.
    """

    added: int
    changed: int
    removed: int
    unchanged: int
    embedded: int = 0
    problems: Sequence[str] = ()

    @property
    def alters(self) -> bool:
        """Whether the library is another one now."""
        return bool(self.added or self.changed or self.removed)


@dataclass(frozen=True)
class Change:
    """Documents that are gone, where they were, and those that are new, or as they are now."""

    gone: Sequence[Place]
    fresh: Sequence[Document]


def compared(contents: Contents, reading: Reading, is_all: bool) -> tuple[Change, Update]:
    """Return what is another thing in a source than in the library.

    Where what was read is all that the source has, documents that were not read are gone.
    """
    before = contents.checksums(reading.source)
    gone, fresh, changed = [], [], 0
    for document in reading.documents:
        place, checksum = before.pop(document.id, (None, ""))
        if checksum == document.checksum:
            continue
        fresh.append(document)
        if place is not None:
            changed += 1
            gone.append(place)
    removed = len(before) if is_all else 0
    if is_all:
        gone += [place for place, _ in before.values()]
    unchanged = len(reading.documents) - len(fresh)
    update = Update(len(fresh) - changed, changed, removed, unchanged)
    return Change(gone, fresh), replace(update, problems=tuple(reading.problems))


def removal(contents: Contents, source: str, ids: Sequence[str] | None) -> tuple[Change, Update]:
    """Return that documents of a source are gone, all of them without `ids`.

    Raises `DataError` for a source or a document that is not there.
    """
    before = contents.checksums(source)
    if not before:
        known = ", ".join(map(repr, contents.sources)) or "none"
        raise DataError(f"the library has no source {source!r}; it has {known}")
    names = list(before) if ids is None else list(dict.fromkeys(ids))
    if unknown := [name for name in names if name not in before]:
        hint = did_you_mean(unknown[0], before)
        raise DataError(f"the source {source!r} has no document {unknown[0]!r}.{hint}")
    update = Update(0, 0, len(names), len(before) - len(names))
    return Change([before[name][0] for name in names], ()), update


def without(parts: Sequence[Part], gone: Iterable[Place]) -> list[Part]:
    """Return parts in which some documents more are gone."""
    rows: list[set[int]] = [set() for _ in parts]
    for number, row in gone:
        rows[number].add(row)
    return [
        replace(part, gone=part.gone | more) if more else part
        for part, more in zip(parts, rows, strict=True)
    ]


@dataclass(frozen=True)
class Binder:
    """Makes parts of documents: cuts them, and embeds what has no vector yet."""

    cut: Cut
    embed: Embed
    dimensions: int
    similarity: Similarity
    pending: Pending

    def part(
        self, source: str, documents: Sequence[Document], known: Contents, bar: Bar
    ) -> tuple[Part, int]:
        """Return a part of documents of a source, and how many passages were embedded."""
        spans = self.cut([one.text for one in documents])
        places = [(row, *span) for row, own in enumerate(spans) for span in own]
        texts = [documents[row].text[start:end] for row, start, end in places]
        rows, starts, ends = zip(*places, strict=True) if places else ((), (), ())
        read = [_headed(documents[row].title, text) for row, text in zip(rows, texts, strict=True)]
        digests = [digest(text) for text in read]
        vectors_NE, embedded = self._vectors(read, digests, known, bar)
        part = Part.of(
            {
                "source": [source] * len(documents),
                "id": [one.id for one in documents],
                "title": [one.title for one in documents],
                "checksum": [one.checksum for one in documents],
                "text": [one.text for one in documents],
            },
            {"document": rows, "start": starts, "end": ends, "text": texts, "digest": digests},
            WordIndex.build(read),
            VectorIndex.build(vectors_NE, self.similarity),
        )
        return part, embedded

    def _vectors(
        self, read: Sequence[str], digests: Sequence[bytes], known: Contents, bar: Bar
    ) -> tuple[np.ndarray, int]:
        """Return the vector of each text (N, E), and how many of them were not there yet."""
        found = self.pending.read() | known.vectors(digests)
        there = {one: text for one, text in zip(digests, read, strict=True) if one not in found}
        missing = list(there.values())
        if missing:
            with bar(len(missing)) as advance:
                for start in range(0, len(missing), _GROUP):
                    group = missing[start : start + _GROUP]
                    vectors_NE = self.embed(group, advance)
                    self.pending.write(group, vectors_NE)
                    found.update(zip(map(digest, group), vectors_NE, strict=True))
        vectors = [found[one] for one in digests]
        return np.array(vectors, np.float32).reshape(-1, self.dimensions), len(missing)


def _headed(title: str, text: str) -> str:
    """Return what is read of a passage: its text behind its document's title."""
    head = title[:_TITLE]
    return text if not head or text.startswith(head) else f"{head}\n{text}"


@contextmanager
def unseen(total: int) -> Iterator[Advance]:
    """Show no bar."""
    yield lambda _: None
