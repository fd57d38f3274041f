"""The folder in which vectors wait until all are there.

vectors.npy.work/manifest.json             how the work was begun
vectors.npy.work/shard-000000.safetensors  vectors of rows 0 to K-1, and what each text lost
vectors.npy.work/shard-000001.safetensors  …

A shard that is there is whole, and is never made again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from manyheads.errors import ConfigError
from manyheads.hub.atomic import (
    PARTIAL,
    exclusively,
    remove_leftovers,
    sync_folder,
    write_atomically,
)

_MANIFEST = "manifest.json"
_SHARDS = "shard-*.safetensors"
_FORMAT = 1
_SHOWN = 32  # characters of a value


@dataclass(frozen=True)
class Shard:
    """Rows `start` to `stop` of the input, and the file of their vectors."""

    start: int
    stop: int
    path: Path

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def rows(self) -> slice:
        """Which rows of the input these are."""
        return slice(self.start, self.stop)

    def write(self, vectors_NE: np.ndarray, truncated: Sequence[int]) -> None:
        """Keep the vectors of these rows, and how many tokens of each text were not seen."""
        assert len(vectors_NE) == len(truncated) == len(self)
        tensors: dict[str, np.ndarray] = {
            "vectors": np.ascontiguousarray(vectors_NE, np.float32),
            "truncated": np.array(truncated, np.int64),
        }
        write_atomically(self.path, save(tensors))

    def width(self) -> int | None:
        """Return how many numbers a vector has, E; None where the shard is not there.

        A file that somebody damaged is none: it is made again.
        """
        try:
            with safe_open(self.path, framework="numpy") as file:
                count, width = file.get_slice("vectors").get_shape()
        except (FileNotFoundError, SafetensorError, ValueError):
            return None
        return int(width) if count == len(self) else None

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the vectors (N, E), and how many tokens of each text were not seen (N)."""
        tensors = load_file(self.path)
        return tensors["vectors"], tensors["truncated"]


class Work:
    """The work folder of an output, which one process at a time has."""

    def __init__(self, folder: Path, rows: int, shard_rows: int) -> None:
        self.folder = folder
        starts = range(0, rows, shard_rows)
        self.shards = [
            Shard(start, min(start + shard_rows, rows), folder / f"shard-{number:06}.safetensors")
            for number, start in enumerate(starts)
        ]

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Go on with the work that is here, or begin it; `facts` say, as JSON, what it is.

        Raises `ConfigError` where it was begun with others.
        """
        mine = json.loads(json.dumps({"format": _FORMAT, **facts}))
        remove_leftovers(self.folder)
        if self._has_shards and self._manifest.exists():
            self._require_same(mine)
        else:  # nothing, or what a process left that was killed when all was over
            self._clear()
            write_atomically(self._manifest, json.dumps(mine, indent=2).encode())

    def remove(self) -> None:
        """Delete all that is here, the manifest last: it says what the rest is."""
        self._clear()
        self._manifest.unlink(missing_ok=True)
        with suppress(OSError):  # something that is not ours
            self.folder.rmdir()

    def leave(self) -> None:
        """Delete what nobody needs: all, where there is no vector."""
        if not self._has_shards:
            self.remove()

    @property
    def _manifest(self) -> Path:
        return self.folder / _MANIFEST

    @property
    def _has_shards(self) -> bool:
        return any(self.folder.glob(_SHARDS))

    def _require_same(self, mine: Mapping[str, Any]) -> None:
        try:
            begun = json.loads(self._manifest.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ConfigError(
                f"{self._manifest} is damaged ({error}); delete {self.folder} to begin anew"
            ) from error
        changed = [
            f"{name}: {_shown(begun.get(name))} → {_shown(mine.get(name))}"
            for name in {**mine, **begun}
            if begun.get(name) != mine.get(name)
        ]
        if changed:
            raise ConfigError(
                f"the work in {self.folder} was begun differently ({'; '.join(changed)}); go on "
                "with the same input and options, or delete that folder to begin anew"
            )

    def _clear(self) -> None:
        remove_leftovers(self.folder)
        for path in self.folder.glob(_SHARDS):
            path.unlink()


def work_folder(out: Path) -> Path:
    """Return where the vectors for the file `out` wait."""
    return out.with_name(f"{out.name}.work")


@contextmanager
def opened(out: Path, rows: int, shard_rows: int) -> Iterator[Work]:
    """Make the work folder of `out`, and have it until the block ends, or the process.

    Raises `ConfigError` where another process has it. Where nothing came of it, it is gone again.
    """
    folder = work_folder(out)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)
    with exclusively(folder):
        for leftover in out.parent.glob(f".{escape(out.name)}.*{PARTIAL}"):
            leftover.unlink(missing_ok=True)
        work = Work(folder, rows, shard_rows)
        try:
            yield work
        finally:
            work.leave()


def _shown(value: Any) -> str:
    if isinstance(value, str) and len(value) > _SHOWN:
        return f"{value[:_SHOWN]}…"  # a checksum
    return "nothing" if value is None else repr(value)
