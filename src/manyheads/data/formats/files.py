"""The bytes of a file, gzipped or not, or one clear line that says why there are none."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from manyheads.errors import DataError, did_you_mean

_GZIP_MAGIC = b"\x1f\x8b"


def require_path(path: Path) -> None:
    """Raise `DataError` where there is neither file nor folder, naming the nearest one."""
    if not path.exists():
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"{path}: no such file or folder.{did_you_mean(path.name, siblings)}")


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, unpacked where it is gzipped, whatever its name.

    Raises:
        DataError: the file cannot be read, or is damaged; also while it is read.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            file.seek(0)
            yield cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip file ({error}); copy it again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def read_bytes(path: Path) -> bytes:
    """Return all bytes of a file, unpacked; raises `DataError`, for an empty file too."""
    with open_bytes(path) as file:
        data = file.read()
    if not data.strip():
        raise DataError(f"{path}: the file is empty")
    return data
