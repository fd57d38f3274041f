"""A library: somebody's documents, found by words and by meaning, and asked for answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from manyheads.errors import ConfigError
from manyheads.hub.atomic import exclusively, remove_leftovers
from manyheads.library.contents import Contents
from manyheads.library.documents import Columns, read_documents
from manyheads.library.joining import settled
from manyheads.library.model import (
    check_vector,
    opened,
    reference_of,
    require_same,
    vectors_of,
)
from manyheads.library.passages import Passages
from manyheads.library.pending import Pending
from manyheads.library.searched import Searched
from manyheads.library.store import (
    MANIFEST,
    Manifest,
    commit,
    open_contents,
    open_library,
    remove_others,
)
from manyheads.library.updating import (
    Advance,
    Bar,
    Binder,
    Change,
    Update,
    compared,
    removal,
    unseen,
    without,
)
from manyheads.predict import Embedder

_FRAME = 8  # tokens that may stand around a passage


class Library(Searched):
    """Documents on disk, cut into passages: `library.search("…")`, `library.ask("…", answerer)`.

    Made by `Library.create`, opened by `Library.open`, filled and kept up to date by `update`.
    The folder is a whole library at every moment. Which model makes its vectors is fixed when it
    is created, and another one is refused; it is opened when it is first needed.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        contents: Contents,
        embedder: Embedder | None,
        device: torch.device | str = "cpu",
        half: bool = False,
    ) -> None:
        self.folder = folder
        self._manifest = manifest
        self._contents = contents
        self._embedder = embedder
        self._device = device
        self._half = half

    @classmethod
    def create(
        cls,
        folder: str | Path,
        *,
        embedder: Embedder | str | Path,
        passages: Passages | None = None,
        device: torch.device | str = "cpu",
        half: bool = False,
    ) -> Self:
        """Make an empty library in a new folder, for a model that makes vectors.

        With `half` it makes them with products in bfloat16 (`Embedder.halved`). Raises
        `ConfigError` where the folder holds something, the model makes no vectors, or it reads less
        than a passage; and what `mh.load` raises.
        """
        folder, passages = Path(folder).expanduser(), passages or Passages()
        model = opened(embedder, device, half)
        longest = model.truncation.max_tokens
        if passages.tokens + _FRAME > longest:
            raise ConfigError(
                f"passages of {passages.tokens} tokens are too long for a model that reads "
                f"{longest}; choose at most {longest - _FRAME}"
            )
        folder.mkdir(parents=True, exist_ok=True)
        with exclusively(folder):
            remove_leftovers(folder)
            if any(folder.iterdir()):
                remedy = "open it" if (folder / MANIFEST).exists() else "choose a new folder"
                raise ConfigError(f"{folder} is not empty; {remedy}")
            similarity = model.sentences.similarity
            check = tuple(map(float, check_vector(model)))
            manifest = Manifest(reference_of(embedder), check, similarity, passages)
            manifest.save(folder)
        return cls(folder, manifest, Contents(()), model, device, half)

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        embedder: Embedder | str | Path | None = None,
        device: torch.device | str = "cpu",
        half: bool = False,
    ) -> Self:
        """Open a library; its files are mapped into memory, not read.

        With `half` vectors are made with products in bfloat16, however they were made before.
        Raises `ConfigError` where there is none, or for another model than made it;
        `CheckpointError` for files that are damaged.
        """
        folder = Path(folder).expanduser()
        manifest, contents = open_library(folder)
        model = None if embedder is None else opened(embedder, device, half)
        if model is not None:
            require_same(model, manifest, folder)
        return cls(folder, manifest, contents, model, device, half)

    def __len__(self) -> int:
        """How many documents there are."""
        return len(self._contents)

    @property
    def sources(self) -> dict[str, int]:
        """How many documents there are of each source."""
        return self._contents.sources

    @property
    def embedder(self) -> Embedder:
        """The model that makes its vectors; raises `ConfigError` where it is another one by now."""
        if self._embedder is None:
            model = opened(self._manifest.embedder, self._device, self._half)
            require_same(model, self._manifest, self.folder)
            self._embedder = model
        return self._embedder

    def update(
        self,
        source: Any,
        *,
        text: str | None = None,
        title: str | None = None,
        id: str | None = None,
        name: str | None = None,
        encoding: str | None = None,
        bar: Bar = unseen,
    ) -> Update:
        """Let the library hold what a source holds now: a folder of files, a file, or a table.

        Documents that are new are added, changed ones replaced, and those removed that were read of
        this source before and are not there any more, or cannot be read. Documents of other sources
        stay. Only passages with a text that the library does not hold yet are embedded; what a
        process that was stopped has embedded is not embedded again.

        A document is known by its source and its id: the path in a folder, or the column `id`, or
        the number of its row. `text` and `title` are columns too. A source is known by where it
        lies, or by the `name` that it is given, which a table in memory needs.

        Raises `ConfigError` where another process changes the library; what `read_documents`
        raises.
        """
        reading = read_documents(source, Columns(text, title, id), name, encoding)
        return self._take(reading.source, lambda there: compared(there, reading, is_all=True), bar)

    def add(
        self,
        source: Any,
        *,
        text: str | None = None,
        title: str | None = None,
        id: str | None = None,
        name: str | None = None,
        encoding: str | None = None,
        bar: Bar = unseen,
    ) -> Update:
        """Let the library hold these documents besides those of their source that are there.

        As `update`, but nothing is removed: what is given may be one new document of many. Those of
        a table in memory need an `id`, as row 1 of this table is not row 1 of the next.
        """
        if id is None and not isinstance(source, str | Path):
            raise ConfigError(
                "documents are added by their ids, and rows of a table in memory have none but "
                "their numbers, which others had before; name the column of ids (id=)"
            )
        reading = read_documents(source, Columns(text, title, id), name, encoding)
        return self._take(reading.source, lambda there: compared(there, reading, is_all=False), bar)

    def remove(self, source: str, *, ids: str | Sequence[str] | None = None) -> Update:
        """Remove documents of a source, all without `ids`.

        Raises `DataError` for a source or a document that is not there.
        """
        ids = [ids] if isinstance(ids, str) else ids
        return self._take(source, lambda there: removal(there, source, ids), unseen)

    def _take(
        self, source: str, changes: Callable[[Contents], tuple[Change, Update]], bar: Bar
    ) -> Update:
        with exclusively(self.folder):
            manifest = Manifest.read(self.folder)  # another process may have changed it
            contents = open_contents(self.folder, manifest)
            remove_others(self.folder, manifest)
            change, update = changes(contents)
            pending = Pending(self.folder / "pending")
            if update.alters:
                parts = without(contents.parts, change.gone)
                if change.fresh:
                    dimensions, similarity = len(manifest.check), manifest.similarity
                    binder = Binder(self._cut, self._embed, dimensions, similarity, pending)
                    part, embedded = binder.part(source, change.fresh, contents, bar)
                    parts, update = [*parts, part], replace(update, embedded=embedded)
                manifest = commit(self.folder, manifest, settled(parts))
                contents = open_contents(self.folder, manifest)
            pending.remove()
            self._manifest, self._contents = manifest, contents
        return update

    def _cut(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        core = self.embedder.tokenizer.core

        def count(texts: Sequence[str]) -> list[int]:
            encoded = core.encode_batch_fast(list(texts), add_special_tokens=False)
            return [len(one.ids) for one in encoded]

        return self._manifest.passages.cut_all(texts, count)

    def _embed(self, texts: Sequence[str], advance: Advance) -> np.ndarray:
        return vectors_of(self.embedder, texts, advance)
