"""Data sets of several heads as one: a long table, whose rows say which head they are for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any

from manyheads.data.dataset import Dataset, Split, printable
from manyheads.errors import DataError


@dataclass(frozen=True, repr=False)
class JoinedSplit(Split):
    """The rows of several splits, one split after the other; the column ``"head"`` names them."""

    parts: Mapping[str, Split] = field(kw_only=True)

    def take(self, indices: Iterable[int]) -> JoinedSplit:
        """Return the rows at these 0-based positions, those of each part together."""
        chosen: dict[str, list[int]] = {head: [] for head in self.parts}
        for index in indices:
            head, own = self._place(index)
            chosen[head].append(own)
        return joined_split({head: self.parts[head].take(own) for head, own in chosen.items()})

    def describe(self, index: int) -> str:
        """Return where the row at a 0-based position stands in the source of its part."""
        head, own = self._place(index)
        return self.parts[head].describe(own)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(map(len, self.parts.values()))]

    def _place(self, index: int) -> tuple[str, int]:
        part = bisect_right(self._starts, index) - 1
        return list(self.parts)[part], index - self._starts[part]


@dataclass(frozen=True, repr=False)
class JoinedDataset(Dataset):
    """The data sets of several heads, by their names."""

    parts: Mapping[str, Dataset] = field(kw_only=True)

    def sets(self) -> Mapping[str, Dataset]:
        """Return the data sets of the heads."""
        return self.parts

    def summary(self) -> str:
        """Say what was found in the data of each head."""
        return "\n".join(
            printable(f"{head}\n  ") + data.summary().replace("\n", "\n  ")
            for head, data in self.parts.items()
        )


def joined(data: Mapping[str, Dataset]) -> JoinedDataset:
    """Join the data sets of several heads.

    A head without rows in a split is not in it. Raises `DataError` for data without texts or
    labels.
    """
    for head, one in data.items():
        _require_labelled(head, one)
    splits = {
        name: {
            head: split
            for head, one in data.items()
            for split in one.splits()
            if split.name == name
        }
        for name in ("train", "valid", "test")
    }
    valid, test = (
        joined_split(splits[name]) if splits[name] else None for name in ("valid", "test")
    )
    return JoinedDataset(joined_split(splits["train"]), valid, test, {}, parts=dict(data))


def joined_split(parts: Mapping[str, Split]) -> JoinedSplit:
    """Join the splits of several heads; what a head has no second texts for is empty."""
    splits = list(parts.values())
    roles = ["text", *(["pair"] if any("pair" in one.columns for one in splits) else []), "label"]
    columns: dict[str, list[Any]] = {
        "head": [head for head, split in parts.items() for _ in range(len(split))]
    }
    for role in roles:
        columns[role] = [
            value for split in splits for value in split.columns.get(role, [""] * len(split))
        ]
    return JoinedSplit(
        name=splits[0].name,
        source=", ".join(dict.fromkeys(split.source for split in splits)),
        rows=range(1, len(columns["head"]) + 1),
        columns=columns,
        parts=dict(parts),
    )


def _require_labelled(head: str, data: Dataset) -> None:
    columns = data.train.columns
    for role in ("text", "label"):
        if role not in columns:
            raise DataError(
                f"head {head!r}: {data.train.source} has no {role}s, which a head learns from; "
                f"name their column, as in {role}='…'"
            )
    for role in ("target", "negative"):
        if role in columns:
            raise DataError(
                f"head {head!r}: the column of role {role!r} is for no head; leave it out"
            )
