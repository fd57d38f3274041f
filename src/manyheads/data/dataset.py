"""Texts or images in memory, labelled, parallel or plain: splits that remember where each row came
from.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from manyheads.errors import DataError
from manyheads.image import image_name

_SHOWN_CLASSES = 12

# The roles whose values are texts.
TEXT_ROLES = ("text", "pair", "negative", "target")


@dataclass(frozen=True, repr=False)
class Split:
    """The rows of one split, column by column.

    Attributes:
        name: ``"train"``, ``"valid"`` or ``"test"``.
        source: the file the rows came from, or ``"dataframe"``.
        rows: the 1-based number of each row in its source. For CSV, TSV and JSON Lines it is the
            line where the row begins: what an editor would show.
        columns: the values by role: ``"text"``, and ``"pair"``, ``"negative"``, ``"target"``
            (parallel text) and ``"label"`` where there are any; of images ``"image"`` instead of
            texts.
        unit: what ``rows`` count: ``"line"`` or ``"row"``.
        files: for a folder of texts or images, the path of each row's file within ``source``.
        spelled: how the source spells labels that took another type, by the number of the row.
    """

    name: str
    source: str
    rows: Sequence[int]
    columns: Mapping[str, list[Any]]
    unit: str = "row"
    files: Sequence[str] | None = None
    spelled: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        rows = f"{len(self):,} {self.unit if len(self) == 1 else f'{self.unit}s'}"
        return printable(
            f"<Split {self.name}: {rows} of {self.source} ({', '.join(self.columns)})>"
        )

    def take(self, indices: Iterable[int]) -> Split:
        """Return the rows at these 0-based positions, in this order."""
        chosen = list(indices)
        return replace(
            self,
            rows=[self.rows[i] for i in chosen],
            columns={role: [values[i] for i in chosen] for role, values in self.columns.items()},
            files=None if self.files is None else [self.files[i] for i in chosen],
        )

    def fingerprint(self) -> str:
        """Return a checksum of all rows: their roles, values and order."""
        digest = hashlib.sha256()
        for role, values in self.columns.items():
            digest.update(f"{role}\0".encode())
            for value in values:
                digest.update(_content(value) if role == "image" else _spelled(value))
        return digest.hexdigest()[:16]

    def describe(self, index: int) -> str:
        """Return where the row at a 0-based position stands, e.g. ``reviews.csv, line 17``."""
        if self.files is not None:
            return f"{self.source}/{self.files[index]}"
        return f"{self.source}, {self.unit} {self.rows[index]}"

    def shown(self, index: int) -> str:
        """Return what a person is to see of the row: its text, or what its image is known by.

        Of a pair with a label, both texts; but of a question that has its answers with their places
        in a context, the question alone.
        """
        if "image" in self.columns:
            return image_name(self.columns["image"][index])
        text: str = self.columns["text"][index]
        if not {"pair", "label"} <= self.columns.keys():
            return text
        pair, label = self.columns["pair"][index], self.columns["label"][index]
        return text if pair is None or isinstance(label, Mapping) else f"{text} ‖ {pair}"


@dataclass(frozen=True, repr=False)
class Dataset:
    """What a task learns from, is tuned on and is judged by.

    Attributes:
        names: the column's name in the source by role, e.g. ``{"text": "review"}``.
        notes: what was found out or assumed while reading, one sentence each.
    """

    train: Split
    valid: Split | None
    test: Split | None
    names: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Dataset: {', '.join(f'{split.name} {len(split):,}' for split in self.splits())}>"

    def __str__(self) -> str:
        return self.summary()

    def splits(self) -> list[Split]:
        """Return the splits that exist: train, valid, test."""
        return [split for split in (self.train, self.valid, self.test) if split is not None]

    def sets(self) -> Mapping[str, Dataset]:
        """Return the data sets that it is joined of, by their heads; "" is itself alone."""
        return {"": self}

    def split(self, name: str | None = None) -> Split:
        """Return a split by its name, the one to judge by without; raises `DataError`."""
        splits = {split.name: split for split in self.splits()}
        if name is None:
            name = next((one for one in ("test", "valid") if one in splits), None)
            if name is None:
                raise DataError(
                    "there is no test or validation split; read the data with valid=0.1"
                )
        if name not in splits:
            raise DataError(f"there is no split {name!r}; there is {', '.join(splits)}")
        return splits[name]

    def fingerprint(self) -> dict[str, str]:
        """Return a checksum of all rows of each split."""
        return {split.name: split.fingerprint() for split in self.splits()}

    def summary(self) -> str:
        """Say in a few lines what was found: columns, splits, labels with counts, assumptions."""
        lines = [_column_line(role, name) for role, name in self.names.items()]
        lines += [_split_line(split) for split in self.splits()]
        lines += list(self.notes)
        return printable("\n".join(lines))


def _spelled(value: object) -> bytes:
    return f"{value!r}\0".encode("utf-8", "surrogatepass")


def _content(image: Any) -> bytes:
    """Return the bytes of an image, which may be a file, bytes, or an array."""
    if isinstance(image, str | Path):
        return Path(image).read_bytes()
    return image if isinstance(image, bytes) else bytes(image.tobytes())


def label_items(labels: Iterable[Any]) -> Iterable[Any]:
    """Return every single label; a row with a list of labels contributes each of them.

    So does one with tagged words, by what they are; those outside of any entity say nothing.
    """
    for label in labels:
        if isinstance(label, list | tuple):
            yield from label
        elif (kinds := getattr(label, "kinds", None)) is not None:  # manyheads.text.tagged.Tagged
            yield from kinds
        else:
            yield label


def are_numbers(labels: Sequence[Any]) -> bool:
    """Whether labels are for regression: numbers, with at least one float among them."""
    kinds = {type(label) for label in labels}
    return float in kinds and kinds <= {int, float}


def is_missing(label: Any) -> bool:
    """Whether a label is absent: None, NaN or blank. An empty list is a label: no class applies."""
    if isinstance(label, str):
        return not label.strip()
    return label is None or label != label  # NaN is the value that differs from itself


def printable(text: str) -> str:
    """Escape lone surrogates, which no terminal and no file can take."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def shorten(value: object, limit: int = 40) -> str:
    """Return a value on one line for a message, cut to ``limit`` characters."""
    text = " ".join(str(value).split())
    return printable(text if len(text) <= limit else text[: limit - 1] + "…")


def _column_line(role: str, name: str) -> str:
    return f"{role:<6} column {name!r}"


def _split_line(split: Split) -> str:
    rows = "1 row" if len(split) == 1 else f"{len(split):,} rows"
    line = f"{split.name:<6} {rows} of {split.source}"
    labels = split.columns.get("label")
    return line if labels is None else f"{line}: {describe_labels(labels)}"


def describe_labels(labels: Sequence[Any]) -> str:
    """Return the classes with their counts, the commonest first, or the range of numbers."""
    present = [label for label in labels if not is_missing(label)]
    if any(isinstance(label, Mapping) for label in present):  # answers, as SQuAD has them
        answered = sum(isinstance(one, Mapping) and bool(one.get("text")) for one in present)
        return f"{answered:,} with an answer, {len(labels) - answered:,} without"
    items = list(label_items(present))
    if are_numbers(items):
        return f"numbers from {min(items):g} to {max(items):g}"
    counts = Counter(map(str, items)).most_common()
    if len(counts) > max(_SHOWN_CLASSES, len(items) / 2):
        return f"{len(counts):,} different labels"
    shown = ", ".join(f"{shorten(label)} ({count:,})" for label, count in counts[:_SHOWN_CLASSES])
    rest = len(counts) - _SHOWN_CLASSES
    return shown + (f", and {rest:,} more" if rest > 0 else "")
