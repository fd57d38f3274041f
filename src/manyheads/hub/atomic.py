"""Files that are either whole or not there, whatever happens to the process or the power."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from manyheads.errors import ConfigError

PARTIAL = ".partial"


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes the name `path` only when it is complete and on disk.

    Written under a temporary name in the same folder, flushed to the disk, renamed, and the
    folder's entry flushed too. After an exception the temporary file is gone and `path` is as it
    was; after a kill a ``*.partial`` file may remain, which `remove_leftovers` deletes.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        with temporary.open("wb", buffering=0) as file:
            yield file
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file at `path` by `content`, or leave it as it was."""
    with atomic_file(path) as file:
        write_all(file, content)


def write_all(file: BinaryIO, content: bytes | memoryview) -> None:
    """Write all of `content` to an unbuffered file, which may take it in several bites."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def remove_leftovers(folder: Path) -> None:
    """Delete what killed writers left behind in `folder`."""
    for leftover in folder.glob(f".*{PARTIAL}"):
        leftover.unlink(missing_ok=True)


def replace_files(folder: Path, fresh: Path, last: str) -> None:
    """Move all files of `fresh` into `folder`, the one named `last` at the end.

    That one vouches for the others: an older one is taken away first, so that a folder that was
    left in the middle lacks it.
    """
    names = [path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()]
    for name in names:
        with (fresh / name).open("rb+") as file:
            os.fsync(file.fileno())
    (folder / last).unlink(missing_ok=True)
    for name in sorted(names, key=lambda name: str(name) == last):
        (folder / name).parent.mkdir(exist_ok=True)
        (fresh / name).replace(folder / name)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable, on systems where folders can be flushed."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def exclusively(folder: Path) -> Iterator[None]:
    """Keep other processes out; the system lets go of it when this one ends, however it does.

    Raises `ConfigError` where another process is in.
    """
    if not hasattr(os, "O_DIRECTORY"):  # a system on which folders cannot be opened
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    import fcntl

    with suppress(OSError):  # a file system that has no locks
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"another process is at work in {folder}; wait for it, or name another output"
            ) from error
