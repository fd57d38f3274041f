"""Two files aligned line by line: line n of one translates line n of the other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from manyheads.data.formats.encoding import Decoded, decode
from manyheads.data.formats.files import read_bytes, require_path
from manyheads.data.formats.folder import ENDINGS, ending, entries, split_name
from manyheads.errors import DataError

_WITHIN_A_NAME = re.compile(r"([_-])")


@dataclass(frozen=True, slots=True)
class Aligned:
    """Two files of lines as two columns, and how they were read."""

    source: str
    columns: dict[str, list[str]]
    note: str


def read_aligned(paths: Sequence[Any], encoding: str | None = None) -> Aligned:
    """Read two files that are aligned line by line, blank lines too; gzipped or not.

    Raises:
        DataError: not two paths, files of another format, or of unequal numbers of lines.
    """
    if len(paths) != 2 or not all(isinstance(path, str | Path) for path in paths):
        raise DataError(
            f"cannot read a table from a {type(paths).__name__} of {len(paths)}; "
            "two paths are a pair of aligned files, e.g. ('train.en', 'train.de')"
        )
    first, second = (Path(path).expanduser() for path in paths)
    names = pair_names(first, second)
    decoded = [_decode_lines(path, encoding) for path in (first, second)]
    columns = [split_lines(file.text) for file in decoded]
    source = f"{first} + {second.name if first.parent == second.parent else second}"
    counts = [len(lines) for lines in columns]
    if counts[0] != counts[1]:
        raise DataError(
            f"{source}: {counts[0]:,} lines of {names[0]} and {counts[1]:,} of {names[1]}; "
            "line n of one file must translate line n of the other"
        )
    encodings = " and ".join(dict.fromkeys(file.describe() for file in decoded))
    return Aligned(source, dict(zip(names, columns, strict=True)), f"{encodings}, aligned by lines")


def split_lines(text: str) -> list[str]:
    """Return the lines of a text without their ends, blank ones too.

    Lines end at line feeds alone: `str.splitlines` also breaks at separators inside of texts.
    """
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines if lines[-1] else lines[:-1]


def pair_names(first: Path, second: Path) -> tuple[str, str]:
    """Return what tells two paths apart, from their ends: usually the suffixes.

    ``train.en`` and ``train.de.gz`` are ``en`` and ``de``; so are ``corpus.en.txt`` with
    ``corpus.de.txt`` and ``en/train.txt`` with ``de/train.txt``; ``src-train.txt`` with
    ``tgt-train.txt`` are ``src`` and ``tgt``.

    Raises:
        DataError: both are the same path.
    """
    for one, other in zip_longest(_parts(first), _parts(second), fillvalue=""):
        if one != other:
            return _without_common_parts(one, other)
    raise DataError(
        f"{first}: is both sides of the pair; name the two files, e.g. train.en, train.de"
    )


def aligned_splits(folder: Path, text: str, target: str) -> dict[str, tuple[Path, Path]]:
    """Return the two files of each split, such as ``train.en`` and ``train.de``.

    They may end in ``.txt``, ``.gz`` or both. Empty where there is no training split of both.

    Raises:
        DataError: a split has only one of its two files.
    """
    found: dict[str, dict[str, Path]] = {}
    for entry in entries(folder):
        stem, _, suffix = entry.name.removesuffix(".gz").partition(".")
        split, side = split_name(stem), suffix.removesuffix(".txt")
        if split is not None and side in (text, target):
            found.setdefault(split, {})[side] = entry
    if len(found.get("train", ())) < 2:
        return {}
    for sides in found.values():
        if len(sides) < 2:
            (alone,) = sides.values()
            raise DataError(
                f"{alone}: its other half is missing; both .{text} and .{target} needed"
            )
    return {split: (sides[text], sides[target]) for split, sides in found.items()}


def _decode_lines(path: Path, encoding: str | None) -> Decoded:
    require_path(path)
    if ending(path) in ENDINGS and ending(path) != ".txt":
        raise DataError(f"{path}: is no file of lines; read it alone, with text=… and target=…")
    return decode(read_bytes(path), str(path), encoding)


def _parts(path: Path) -> Iterator[str]:
    """The parts of a path between its dots and slashes, the last first."""
    yield from reversed(path.name.removesuffix(".gz").split("."))
    yield from reversed(path.parent.parts)


def _without_common_parts(one: str, other: str) -> tuple[str, str]:
    """Take off what two names share before a first and after a last hyphen or underscore."""
    first, second = _WITHIN_A_NAME.split(one), _WITHIN_A_NAME.split(other)
    for end in (0, -1):
        while len(first) > 1 and len(second) > 1 and first[end] == second[end]:
            del first[end], second[end]
    return "".join(first), "".join(second)
