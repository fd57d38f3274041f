"""`read_images`: from folders, tables, arrays and IDX files to a `Dataset` of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from manyheads.data.dataset import Dataset, Split, is_missing
from manyheads.data.formats.folder import entries, pick_file, split_paths
from manyheads.data.formats.idx import idx_splits, is_idx, read_labelled
from manyheads.data.formats.tables import read_table
from manyheads.data.roles import choose_image_roles, find_column, guesses
from manyheads.data.splits import (
    hold_out_fractions,
    refuse_missing_labels,
    sources_of,
    splits_in_memory,
    with_typed_labels,
)
from manyheads.data.table import Table
from manyheads.errors import DataError
from manyheads.image import ENDINGS, ImageSource


def read_images(
    source: Any,
    *,
    image: str | int | None = None,
    label: str | int | None = None,
    valid: Any = 0.1,
    test: Any = None,
    seed: int = 0,
    drop_broken: bool | None = False,
    encoding: str | None = None,
) -> Dataset:
    """Read labelled images and split them; they stay as they are until they are used.

    Args:
        source: a folder with one sub-folder of images per class; a table (all that `read_table`
            reads) with a column of image files, by their paths from the table's folder, or of
            images as Hugging Face datasets hold them; a tuple of images and labels, or a mapping of
            such columns, where images may be one array uint8 (N, H, W) or (N, H, W, C); a folder
            of IDX files as MNIST has them; a folder or a mapping with one of these for each split:
            train, valid (validation, dev) and test.
        image: the column of images of a table; guessed from the usual names when None.
        label: the column of labels; guessed from the usual names when None.
        valid: the fraction of the rows to hold out for validation, unless the source brings a
            validation split; or a source of its own; 0 for none.
        test: the same for the test split; None for none.
        seed: of the random choice of rows to hold out. Equal images stay together.
        drop_broken: True leaves out images that cannot be decoded and counts them; False refuses
            them; None does not look, which saves decoding all of them once more.
        encoding: of a table; found out when None.

    Returns:
        The splits, with the columns ``"image"`` and, where there is one, ``"label"``.

    Raises:
        DataError: the source cannot be read, a column or a label is missing, images are broken, or
            a fraction is out of range.
        MissingExtra: images that are no arrays without Pillow.
    """
    parts, fractions = sources_of(source, _own_splits(source), {"valid": valid, "test": test})
    tables = {name: _read_table(part, encoding, (image, label)) for name, part in parts.items()}
    given = {"image": image, "label": label}
    named = {role: None if column is None else str(column) for role, column in given.items()}
    names = choose_image_roles(tables["train"], named)
    notes = guesses(tables["train"], names, named)
    notes += [f"{name}: {table.note}" for name, table in tables.items() if table.note]
    splits = {
        name: _split(name, table, names, _base(parts[name], table))
        for name, table in tables.items()
    }
    if "label" in names:
        splits = with_typed_labels(splits, [name for name in tables if tables[name].untyped])
        for split in splits.values():
            refuse_missing_labels(split, names["label"])
    splits = {
        name: _without_broken(split, names["image"], drop_broken, notes)
        for name, split in splits.items()
    }
    hold_out_fractions(splits, fractions, seed, notes)
    return Dataset(splits["train"], splits.get("valid"), splits.get("test"), names, tuple(notes))


def holds_images(source: str) -> bool:
    """Whether a path is a folder of images: sub-folders by class, IDX files, or splits of such."""
    folder = Path(source).expanduser()
    if not folder.is_dir():
        return False
    folder = _own_splits(folder).get("train", folder)
    return is_idx(folder) or (folder.is_dir() and bool(_class_images(folder)[0]))


def _own_splits(source: Any) -> dict[str, Any]:
    """Return the splits that a folder or a mapping brings, if any."""
    if not isinstance(source, str | Path):
        return splits_in_memory(source)
    folder = Path(source).expanduser()
    if not folder.is_dir():
        return {}
    splits = split_paths(folder)
    # A class may be called train: its folder holds images, a split's holds folders or a table.
    if "train" in splits and not (splits["train"].is_dir() and _images_in(splits["train"])):
        return dict(splits)
    return dict(idx_splits(folder))


def _read_table(source: Any, encoding: str | None, wanted: Sequence[str | int | None]) -> Table:
    """Return the columns of one split."""
    if isinstance(source, str | Path):
        path = Path(source).expanduser()
        if path.is_dir():
            by_class, others = _class_images(path)
            if by_class:
                return _of_folder(path, by_class, others)
            path = pick_file(path)
        if is_idx(path):
            images, labels = read_labelled(path)
            columns = {"image": list(images), "label": labels.tolist()}
            return Table(str(path), "row", range(1, len(images) + 1), columns, "IDX files")
        return read_table(
            path, encoding=encoding, wanted=[one for one in wanted if one is not None]
        )
    if isinstance(source, tuple) and len(source) == 2:
        source = {"image": source[0], "label": source[1]}
    if isinstance(source, Mapping):
        # Images must not become lists of lists of numbers, as columns of other tables do.
        source = {
            name: list(values) if getattr(values, "ndim", 1) > 1 else values
            for name, values in source.items()
        }
    return read_table(source)


def _base(source: Any, table: Table) -> Path:
    """Return the folder that the paths in a table start from."""
    if not isinstance(source, str | Path) or table.files is not None:
        return Path()
    path = Path(source).expanduser()
    return path if path.is_dir() else path.parent


def _class_images(folder: Path) -> tuple[dict[str, list[Path]], int]:
    """Return the images of each class, by its folder's name, and the number of other files."""
    found, others = {}, 0
    for entry in entries(folder):
        if entry.is_dir():
            files = [path for path in sorted(entry.rglob("*")) if _is_shown(path, entry)]
            images = [path for path in files if path.suffix.lower() in ENDINGS]
            others += len(files) - len(images)
            if images:
                found[entry.name] = images
    return found, others


def _is_shown(path: Path, folder: Path) -> bool:
    """Whether a path is a file that is not hidden, nor in a hidden folder below this one."""
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and path.is_file()


def _images_in(folder: Path) -> bool:
    return any(path.suffix.lower() in ENDINGS for path in entries(folder))


def _of_folder(folder: Path, by_class: Mapping[str, Sequence[Path]], others: int) -> Table:
    labelled = [(label, path) for label, paths in by_class.items() for path in paths]
    columns = {
        "image": [path for _, path in labelled],
        "label": [label for label, _ in labelled],
    }
    files = [path.relative_to(folder).as_posix() for _, path in labelled]
    note = "one folder per class"
    if others:
        note += f"; other files left out: {others:,}"
    rows = range(1, len(files) + 1)
    return Table(str(folder), "row", rows, columns, note, files=files)


def _split(name: str, table: Table, names: Mapping[str, str], base: Path) -> Split:
    found = {role: find_column(table, role, column) for role, column in names.items()}
    columns = {role: table.columns[column] for role, column in found.items()}
    split = Split(name, table.source, table.rows, columns, table.unit, table.files)
    images = [_source(split, index, names["image"], base) for index in range(len(split))]
    return Split(
        name, table.source, table.rows, {**columns, "image": images}, table.unit, table.files
    )


def _source(split: Split, index: int, column: str, base: Path) -> ImageSource | None:
    """Return the image of a row, None where there is none; paths start from their table's folder.

    Raises `DataError` for what is no image.
    """
    value = split.columns["image"][index]
    if isinstance(value, Mapping):  # as Hugging Face datasets hold images
        value = value.get("bytes") or value.get("path")
    if value is None or (isinstance(value, str | float) and is_missing(value)):
        return None
    if isinstance(value, str | Path):
        return base / value
    # Arrays, and images of Pillow, which need not be installed.
    if isinstance(value, bytes) or hasattr(value, "shape") or hasattr(value, "getexif"):
        return value
    raise DataError(
        f"{split.describe(index)}: column {column!r} holds {type(value).__name__!r}; images are "
        "files, arrays, bytes or images of Pillow"
    )


def _without_broken(split: Split, column: str, drop: bool | None, notes: list[str]) -> Split:
    """Return the split without images that are broken; refuse them unless `drop`.

    Where `drop` is None, only those are that a row lacks: decoding would tell of the others.
    """
    faults = _faults(split.columns["image"], column, decoding=drop is not None)
    broken = [index for index, fault in enumerate(faults) if fault is not None]
    if not broken:
        return split
    if not drop:
        first = broken[0]
        named = isinstance(split.columns["image"][first], Path)
        where = "" if named else f"{split.describe(first)}: "
        raise DataError(
            f"{where}{faults[first]}; {len(broken):,} of {len(split):,} images are broken, leave "
            "them out with drop_broken=True (--drop-broken)"
        )
    if len(broken) == len(split):
        raise DataError(f"{split.source}: every image is broken; none is left")
    images = "1 image" if len(broken) == 1 else f"{len(broken):,} images"
    notes.append(f"{split.name}: {images} that cannot be decoded dropped")
    return split.take(index for index, fault in enumerate(faults) if fault is None)


def _faults(
    images: Sequence[ImageSource | None], column: str, *, decoding: bool
) -> list[str | None]:
    """Return why each image is broken, None where nothing is known against it."""
    absent = f"nothing in column {column!r}"
    if not decoding:
        return [absent if image is None else None for image in images]
    from manyheads.image import fault_of

    with ThreadPoolExecutor() as threads:
        return list(threads.map(lambda image: absent if image is None else fault_of(image), images))
