"""What a folder of data holds: one file per split, or one sub-folder of text files per class."""

from __future__ import annotations

import re
from pathlib import Path

from manyheads.data.formats.conll import CONLL_ENDINGS
from manyheads.errors import DataError

_SPLIT_OF = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "dev": "valid",
    "val": "valid",
    "test": "test",
}
_VERSION = re.compile(r"-v\d[\d.]*(?=\.)")  # train-v2.0.json, as SQuAD is published
TABLE_ENDINGS = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".parquet", ".pq", ".txt")
CATALOG_ENDINGS = (".po", ".mo")
ENDINGS = (*TABLE_ENDINGS, *CONLL_ENDINGS, ".tmx", *CATALOG_ENDINGS)


def split_name(name: str) -> str | None:
    """Return ``"train"``, ``"valid"`` or ``"test"`` for the usual names of a split, or None."""
    return _SPLIT_OF.get(name.lower())


def split_paths(folder: Path) -> dict[str, Path]:
    """Return the file or sub-folder of each split, or nothing if the folder has no training split.

    ``train.jsonl.gz`` and ``test.jsonl.gz`` are splits, and so are the sub-folders ``train`` and
    ``test``.

    Raises:
        DataError: two files claim to be the same split.
    """
    found: dict[str, Path] = {}
    for entry in entries(folder):
        if not entry.is_dir() and not _is_table(entry):
            continue
        split = split_name(_VERSION.sub("", entry.name).split(".")[0])
        if split in found:
            raise DataError(
                f"{folder}: both {found[split].name} and {entry.name} are the {split} split; "
                "move one of them away"
            )
        if split is not None:
            found[split] = entry
    return found if "train" in found else {}


def class_files(folder: Path) -> dict[str, list[Path]]:
    """Return the text files of each class, in order; the class is the name of the sub-folder."""
    classes = {
        entry.name: [path for path in entries(entry) if path.suffix.lower() in ("", ".txt")]
        for entry in entries(folder)
        if entry.is_dir()
    }
    return {name: files for name, files in classes.items() if files}


def catalog_files(source: Path) -> list[Path]:
    """Return the gettext catalogs of a folder, or those that a pattern such as ``**/de.po`` names.

    A folder's compiled catalogs count only where it has no others: they would be the same again.
    Nothing where the source is another kind of folder, or no pattern of catalogs.
    """
    if source.is_dir():
        tables = [entry for entry in entries(source) if entry.is_file() and _is_table(entry)]
        kinds = {ending(table) for table in tables}
        if not kinds <= set(CATALOG_ENDINGS):
            return []
        return [table for table in tables if ending(table) == ".po" or ".po" not in kinds]
    if ending(source) not in CATALOG_ENDINGS or source.exists():
        return []
    try:
        found = Path(source.anchor or ".").glob(str(source.relative_to(source.anchor)))
        return sorted(found)
    except ValueError:  # no pattern that Python understands, so it names nothing
        return []


def pick_file(folder: Path) -> Path:
    """Return the only table in a folder.

    Raises:
        DataError: there is none, or more than one.
    """
    tables = [entry for entry in entries(folder) if entry.is_file() and _is_table(entry)]
    if len(tables) == 1:
        return tables[0]
    if tables:
        names = ", ".join(path.name for path in tables[:5])
        raise DataError(f"{folder}: holds several tables ({names}); name one of them")
    raise DataError(
        f"{folder}: holds no data; put a table there (train.csv, test.csv, …) "
        "or one sub-folder of .txt files per class; images are read by read_images (--image)"
    )


def entries(folder: Path) -> list[Path]:
    """Return what a folder holds, sorted by name, but for hidden files."""
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def ending(path: Path) -> str:
    """Return the ending that tells the format, without that of gzip."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _is_table(path: Path) -> bool:
    return ending(path) in ENDINGS
