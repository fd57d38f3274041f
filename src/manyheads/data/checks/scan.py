"""What all checks look at: a dataset with the keys of its texts and the rows of its classes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from manyheads.data.checks.report import Finding, Severity, describe_rows
from manyheads.data.dataset import Dataset, Split, are_numbers, is_missing, label_items
from manyheads.data.questions import holds_questions
from manyheads.data.split import row_keys

_FEW_ROWS = 20
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Scan:
    """A dataset under examination. Positions are 0-based indices into a split."""

    dataset: Dataset

    @cached_property
    def splits(self) -> dict[str, Split]:
        """The splits by name."""
        return {split.name: split for split in self.dataset.splits()}

    @cached_property
    def keys(self) -> dict[str, list[str]]:
        """One key per row; texts that are equal up to case and white space have equal keys."""
        return {name: row_keys(split.columns) for name, split in self.splits.items()}

    @cached_property
    def positions(self) -> dict[str, dict[str, list[int]]]:
        """The positions of each key in each split, but for empty texts: they say nothing."""
        found = {}
        for name, keys in self.keys.items():
            by_key: dict[str, list[int]] = defaultdict(list)
            for position, key in enumerate(keys):
                if key.strip():
                    by_key[key].append(position)
            found[name] = by_key
        return found

    @cached_property
    def classes(self) -> dict[str, dict[Any, list[int]]]:
        """The positions of each class in each split; empty if the labels are not classes.

        Floats are not classes, and neither are labels that hardly ever repeat. Of tagged words they
        are what the words are.
        """
        found = {name: _positions_by_class(split) for name, split in self.splits.items()}
        train = self.labels("train")
        if not train or are_numbers(train) or self.holds_questions:
            return {}
        if self.is_tagged:
            return found
        if len(train) >= _FEW_ROWS and len(found["train"]) > len(train) / 2:
            return {}
        return found

    @cached_property
    def sides_of_text(self) -> tuple[str, ...]:
        """The roles whose texts stand apart: the source and, of parallel text, the target."""
        return tuple(role for role in ("text", "target") if role in self.dataset.train.columns)

    @property
    def has_images(self) -> bool:
        """Whether rows have an image instead of a text."""
        return "image" in self.dataset.train.columns

    @cached_property
    def holds_questions(self) -> bool:
        """Whether labels are answers to questions about contexts."""
        return holds_questions(self.dataset.train, self.dataset.names)

    def answers(self, split: str) -> list[tuple[str, Any]]:
        """The context of each question with its answers, or nothing if there are no questions."""
        columns = self.splits[split].columns
        return (
            list(zip(columns["pair"], columns["label"], strict=True))
            if self.holds_questions
            else []
        )

    @property
    def is_plain(self) -> bool:
        """Whether there are texts alone, as a language model reads them."""
        return set(self.dataset.train.columns) == {"text"}

    @cached_property
    def is_tagged(self) -> bool:
        """Whether the labels are tags of words."""
        return any(hasattr(label, "tags") for label in self.labels("train"))

    def sides(self, split: str) -> list[tuple[str, str]]:
        """The source and the target of each row, or nothing if the text is not parallel."""
        columns = self.splits[split].columns
        return (
            list(zip(columns["text"], columns["target"], strict=True))
            if "target" in columns
            else []
        )

    def labels(self, split: str) -> list[Any]:
        """The labels of a split, or nothing if it has none."""
        return self.splits[split].columns.get("label", [])

    def finding(
        self,
        kind: str,
        severity: Severity,
        message: str,
        remedy: str = "",
        positions: Mapping[str, Sequence[int]] | None = None,
    ) -> Finding:
        """Make a finding, turning positions into the row numbers of their sources."""
        held = {name: found for name, found in (positions or {}).items() if found}
        rows = {name: [self.splits[name].rows[i] for i in found] for name, found in held.items()}
        places = tuple(describe_rows(self.splits[name], found) for name, found in held.items())
        return Finding(kind, severity, message, rows, remedy, places)


def text_columns(split: Split, role: str = "text") -> list[list[str]]:
    """Return the column of texts, with that of second texts where there is one; or the targets."""
    roles = ("text", "pair") if role == "text" else (role,)
    return [split.columns[role] for role in roles if role in split.columns]


def label_key(label: Any) -> Hashable:
    """Return a hashable value that is equal for equal labels, whatever the order of a list."""
    if isinstance(label, list | tuple):
        return tuple(sorted(map(str, label)))
    if (marked := getattr(label, "marked", None)) is not None:  # manyheads.text.tagged.Tagged
        return marked
    return label if isinstance(label, Hashable) else str(label)


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, e.g. ``1 row`` or ``2,000 rows``."""
    return f"1 {noun}" if number == 1 else f"{number:,} {plural or noun + 's'}"


def has_surrogates(text: str) -> bool:
    """Whether a text holds halves of surrogate pairs, which are no Unicode."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def without_surrogates(text: str) -> str:
    """Replace lone surrogates by U+FFFD."""
    return _SURROGATE.sub("\ufffd", text) if has_surrogates(text) else text


def _positions_by_class(split: Split) -> dict[Any, list[int]]:
    by_class: dict[Any, list[int]] = defaultdict(list)
    for position, label in enumerate(split.columns.get("label", [])):
        if not is_missing(label):
            items = label_items([label])
            keys = (item if isinstance(item, Hashable) else str(item) for item in items)
            for key in dict.fromkeys(keys):
                by_class[key].append(position)
    return by_class
