"""What becomes of a library's contents when a source says something else than before.

documents of the source ─ same checksum ─→ passages as they were
                        └ another one ───→ cut again
passages ─ same text as any that is there ─→ vector as it was
         └ another one ────────────────────→ embedded, kept in `pending` group by group
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import numpy as np

from manyheads.core.similarity import Similarity
from manyheads.library.documents import Document, Reading
from manyheads.library.meaning import VectorIndex
from manyheads.library.pending import Pending, digest
from manyheads.library.store import Contents
from manyheads.library.words import WordIndex

_GROUP = 1024  # passages whose vectors are kept at a time
_TITLE = 120  # characters of a title that stand before each of its passages

Advance = Callable[[int], None]  # told of so many passages more
Bar = Callable[[int], AbstractContextManager[Advance]]  # shown over so many passages
Spans = Sequence[tuple[int, int]]
Cut = Callable[[str], Spans]
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
class Shelf:
    """A document, where it comes from, and where its passages are in its text."""

    source: str
    document: Document
    spans: Spans


def shelves_of(contents: Contents) -> list[Shelf]:
    """Return all documents of a library in their order."""
    rows = contents.documents.select(["id", "title", "text"]).to_pydict()
    documents = [Document(*row) for row in zip(*rows.values(), strict=True)]
    spans: list[list[tuple[int, int]]] = [[] for _ in documents]
    places = contents.passages.select(["document", "start", "end"]).to_pydict()
    for row, start, end in zip(*places.values(), strict=True):
        spans[row].append((start, end))
    sources = contents.documents["source"].to_pylist()
    return [Shelf(*one) for one in zip(sources, documents, spans, strict=True)]


def rearranged(shelves: Sequence[Shelf], reading: Reading, cut: Cut) -> tuple[list[Shelf], Update]:
    """Return the shelves with the documents of one source as they are now, and what changed."""
    others = [shelf for shelf in shelves if shelf.source != reading.source]
    before = {shelf.document.id: shelf for shelf in shelves if shelf.source == reading.source}
    now, changed, unchanged = [], 0, 0
    for document in reading.documents:
        there = before.get(document.id)
        if there is not None and there.document == document:
            now.append(there)
            unchanged += 1
            continue
        changed += there is not None
        now.append(Shelf(reading.source, document, cut(document.text)))
    added = len(now) - changed - unchanged
    removed = len(before) - changed - unchanged
    update = Update(added, changed, removed, unchanged, problems=tuple(reading.problems))
    return [*others, *now], update


def contents_of(
    shelves: Sequence[Shelf],
    old: Contents,
    embed: Embed,
    similarity: Similarity,
    pending: Pending,
    bar: Bar,
) -> tuple[Contents, int]:
    """Return the contents that these documents make, and how many passages were embedded."""
    documents = {
        "source": [shelf.source for shelf in shelves],
        "id": [shelf.document.id for shelf in shelves],
        "title": [shelf.document.title for shelf in shelves],
        "checksum": [shelf.document.checksum for shelf in shelves],
        "text": [shelf.document.text for shelf in shelves],
    }
    places = [(row, start, end) for row, shelf in enumerate(shelves) for start, end in shelf.spans]
    texts = [shelves[row].document.text[start:end] for row, start, end in places]
    rows, starts, ends = zip(*places, strict=True) if places else ((), (), ())
    passages = {"document": rows, "start": starts, "end": ends, "text": texts}
    plain = Contents.of(documents, passages)
    if not places:
        return plain, 0
    read = _headed(documents["title"], rows, texts)
    vectors_NE, embedded = _vectors(read, old, embed, pending, bar)
    meaning = VectorIndex.build(vectors_NE, similarity)
    return Contents(plain.documents, plain.passages, WordIndex.build(read), meaning), embedded


def _vectors(
    read: Sequence[str], old: Contents, embed: Embed, pending: Pending, bar: Bar
) -> tuple[np.ndarray, int]:
    """Return the vector of each text (N, E), and how many of them were not there yet."""
    known = pending.read() | _known(old)
    digests = [digest(text) for text in read]
    there = {one: text for one, text in zip(digests, read, strict=True) if one not in known}
    missing = list(there.values())
    if missing:
        with bar(len(missing)) as advance:
            for start in range(0, len(missing), _GROUP):
                group = missing[start : start + _GROUP]
                vectors_NE = embed(group, advance)
                pending.write(group, vectors_NE)
                known.update(zip(map(digest, group), vectors_NE, strict=True))
    return np.stack([known[one] for one in digests]), len(missing)


def _known(contents: Contents) -> dict[bytes, np.ndarray]:
    """Return the vectors of a library by the checksums of what was read."""
    if contents.meaning is None:
        return {}
    titles = contents.documents["title"].to_pylist()
    passages = contents.passages.select(["document", "text"]).to_pydict()
    read = _headed(titles, passages["document"], passages["text"])
    return dict(zip(map(digest, read), contents.meaning.vectors, strict=True))


def _headed(titles: Sequence[str], rows: Sequence[int], texts: Sequence[str]) -> list[str]:
    """Return what is read of passages: their texts behind their document's title."""
    heads = [title[:_TITLE] for title in titles]
    return [
        text if not heads[row] or text.startswith(heads[row]) else f"{heads[row]}\n{text}"
        for row, text in zip(rows, texts, strict=True)
    ]


@contextmanager
def unseen(total: int) -> Iterator[Advance]:
    """Show no bar."""
    yield lambda _: None
