"""A library on disk: whole at every moment, whatever happens to the process that changes it.

    LIBRARY/library.json           which model, how documents are cut, and which parts count
    LIBRARY/part-000007/           documents, and what they are found by; see `part`
    LIBRARY/pending/               vectors of an update that has not ended

A part is never changed. An update writes a new one beside those that are there; it counts from the
moment on at which library.json, replaced as a whole, says so. That file also says which documents
of a part are gone. Whoever reads the library as it was has its files open.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from manyheads.core.similarity import Similarity
from manyheads.errors import CheckpointError, ConfigError
from manyheads.hub.atomic import remove_leftovers, write_atomically
from manyheads.library.contents import Contents
from manyheads.library.part import Part
from manyheads.library.passages import Passages

MANIFEST = "library.json"
_FORMAT = 3
_PART = "part-"


@dataclass(frozen=True)
class Placed:
    """A part of a library: the name of its folder, and the rows of documents that are gone."""

    name: str
    gone: Sequence[int] = ()


@dataclass(frozen=True)
class Manifest:
    """What a library says of itself.

    Attributes:
        embedder: The reference of the model that makes its vectors.
        check: The vector that this model makes of a certain text.
        similarity: How vectors are compared.
        passages: How documents are cut.
        edition: How often the library was changed.
        parts: What counts, in the order of its documents.
        calibrations: Curves, each with what the model says of one text that it was learnt for.
    """

    embedder: str
    check: tuple[float, ...]
    similarity: Similarity
    passages: Passages
    edition: int = 0
    parts: Sequence[Placed] = ()
    calibrations: Sequence[Mapping[str, Any]] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object for :meth:`from_json`."""
        return {
            "format": _FORMAT,
            "embedder": self.embedder,
            "similarity": self.similarity.value,
            "passages": {"tokens": self.passages.tokens, "overlap": self.passages.overlap},
            "edition": self.edition,
            "parts": [{"name": one.name, "gone": list(one.gone)} for one in self.parts],
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
            [Placed(**one) for one in saved["parts"]],
            saved["calibrations"],
        )

    def save(self, folder: Path) -> None:
        """Replace the manifest of a library as a whole."""
        text = json.dumps(self.to_json(), ensure_ascii=False)
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


def open_library(folder: Path) -> tuple[Manifest, Contents]:
    """Open a library as it is now, also while another process changes it.

    Raises `ConfigError` where there is none, `CheckpointError` for files that are damaged.
    """
    manifest = Manifest.read(folder)
    while True:
        try:
            return manifest, open_contents(folder, manifest)
        except CheckpointError:
            before, manifest = manifest, Manifest.read(folder)
            if manifest.edition == before.edition:
                raise


def open_contents(folder: Path, manifest: Manifest) -> Contents:
    """Open the parts that count; raises `CheckpointError` for one that is damaged."""
    parts = []
    for one in manifest.parts:
        try:
            parts.append(Part.open(folder / one.name, frozenset(one.gone), manifest.similarity))
        except (OSError, pa.ArrowException, RuntimeError, ValueError, KeyError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise CheckpointError(
                f"{folder / one.name} is damaged ({reason}); delete {folder} and index its "
                "sources again"
            ) from error
    return Contents(parts)


def commit(folder: Path, manifest: Manifest, parts: Sequence[Part]) -> Manifest:
    """Write the parts that are new, and let all of them count; return the manifest that says so."""
    edition = manifest.edition + 1
    placed = []
    for part in parts:
        name = part.name or f"{_PART}{edition:06}"
        if not part.name:  # one at most is new
            shutil.rmtree(folder / name, ignore_errors=True)  # of a process that was killed
            part.save(folder / name)
        placed.append(Placed(name, sorted(part.gone)))
    following = replace(manifest, edition=edition, parts=placed)
    following.save(folder)
    remove_others(folder, following)
    return following


def remove_others(folder: Path, manifest: Manifest) -> None:
    """Delete parts that do not count, and what killed processes left."""
    remove_leftovers(folder)
    counting = {one.name for one in manifest.parts}
    for path in folder.glob(f"{_PART}*"):
        if path.name not in counting:
            shutil.rmtree(path, ignore_errors=True)
