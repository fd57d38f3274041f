"""A library on disk: whole at every moment, whatever happens to the process that changes it.

    LIBRARY/library.json           which model, how documents are cut, and which edition counts
    LIBRARY/edition-000007/        documents.arrow  passages.arrow  words/  meaning/
    LIBRARY/pending/               vectors of an update that has not ended

An edition is never changed. The next one is written beside it, and counts from the moment on at
which library.json, replaced as a whole, says so. Whoever reads the old one has its files open.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from manyheads.core.similarity import Similarity
from manyheads.errors import CheckpointError, ConfigError
from manyheads.hub.atomic import remove_leftovers, sync_folder, write_atomically
from manyheads.library.meaning import VectorIndex
from manyheads.library.passages import Passages
from manyheads.library.words import WordIndex

MANIFEST = "library.json"
_FORMAT = 1
_EDITION = "edition-"
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
    {"document": pa.int64(), "start": pa.int64(), "end": pa.int64(), "text": pa.large_string()}
)


@dataclass(frozen=True)
class Manifest:
    """What a library says of itself.

    Attributes:
        embedder: The reference of the model that makes its vectors.
        check: The vector that this model makes of a certain text.
        similarity: How vectors are compared.
        passages: How documents are cut.
        edition: The number of the edition that counts; 0 while there is none.
        calibrations: Curves by the answerer that they were learnt for, as JSON.
    """

    embedder: str
    check: tuple[float, ...]
    similarity: Similarity
    passages: Passages
    edition: int = 0
    calibrations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object for :meth:`from_json`."""
        return {
            "format": _FORMAT,
            "embedder": self.embedder,
            "similarity": self.similarity.value,
            "passages": {"tokens": self.passages.tokens, "overlap": self.passages.overlap},
            "edition": self.edition,
            "calibrations": self.calibrations,
            "check": self.check,
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make it of what :meth:`to_json` returned."""
        return cls(
            saved["embedder"],
            tuple(saved["check"]),
            Similarity(saved["similarity"]),
            Passages(**saved["passages"]),
            saved["edition"],
            saved["calibrations"],
        )

    def save(self, folder: Path) -> None:
        """Replace the manifest of a library as a whole."""
        text = json.dumps(self.to_json(), indent=2, ensure_ascii=False)
        write_atomically(folder / MANIFEST, text.encode())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read it; raises `ConfigError` where there is no library, or one of another format."""
        path = folder / MANIFEST
        if not path.is_file():
            raise ConfigError(
                f"{folder} is no library ({MANIFEST} is missing); make one with `manyheads index "
                "SOURCE --out LIBRARY`"
            )
        try:
            saved = json.loads(path.read_text(encoding="utf-8"))
            if saved["format"] != _FORMAT:
                raise ConfigError(
                    f"{folder} has the format {saved['format']!r}, and this version reads "
                    f"{_FORMAT}; index its sources again"
                )
            return cls.from_json(saved)
        except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise ConfigError(f"{path} lacks what it should say ({error}); restore it") from error


@dataclass(frozen=True)
class Contents:
    """An edition: documents, their passages, and what passages are found by.

    `words` and `meaning` are None where there is no passage.
    """

    documents: pa.Table
    passages: pa.Table
    words: WordIndex | None = None
    meaning: VectorIndex | None = None

    @classmethod
    def of(cls, documents: Mapping[str, Any], passages: Mapping[str, Any]) -> Self:
        """Make it of columns, without what passages are found by."""
        return cls(
            pa.table(dict(documents), schema=_DOCUMENTS), pa.table(dict(passages), schema=_PASSAGES)
        )


def empty() -> Contents:
    """Return the contents of a library without documents."""
    return Contents(_DOCUMENTS.empty_table(), _PASSAGES.empty_table())


def open_contents(folder: Path, manifest: Manifest) -> Contents:
    """Open the edition that counts; raises `CheckpointError` for one that is damaged."""
    if not manifest.edition:
        return empty()
    edition = _edition(folder, manifest.edition)
    try:
        documents, passages = (
            _read(edition / f"{name}.arrow") for name in ("documents", "passages")
        )
        if not len(passages):
            return Contents(documents, passages)
        meaning = VectorIndex.open(edition / "meaning", manifest.similarity)
        return Contents(documents, passages, WordIndex.open(edition / "words"), meaning)
    except (OSError, pa.ArrowException, RuntimeError, json.JSONDecodeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise CheckpointError(
            f"{edition} is damaged ({reason}); delete {folder} and index its sources again"
        ) from error


def commit(folder: Path, manifest: Manifest, contents: Contents) -> Manifest:
    """Write contents as the next edition, and let it count; return the manifest that says so."""
    following = replace(manifest, edition=manifest.edition + 1)
    fresh = _edition(folder, following.edition)
    shutil.rmtree(fresh, ignore_errors=True)  # of a process that was killed
    fresh.mkdir()
    _write(fresh / "documents.arrow", contents.documents)
    _write(fresh / "passages.arrow", contents.passages)
    if contents.words is not None and contents.meaning is not None:
        contents.words.save(fresh / "words")
        contents.meaning.save(fresh / "meaning")
    _to_disk(fresh)
    following.save(folder)
    remove_others(folder, following)
    return following


def remove_others(folder: Path, manifest: Manifest) -> None:
    """Delete editions that do not count, and what killed processes left."""
    remove_leftovers(folder)
    for path in folder.glob(f"{_EDITION}*"):
        if path != _edition(folder, manifest.edition):
            shutil.rmtree(path, ignore_errors=True)


def _edition(folder: Path, number: int) -> Path:
    return folder / f"{_EDITION}{number:06}"


def _read(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def _write(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table.combine_chunks())


def _to_disk(folder: Path) -> None:
    """Make all files in a folder durable, before anything says that they are there."""
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb+") as file:
                os.fsync(file.fileno())
    sync_folder(folder.parent)
