"""Checks of whole rows: empty, repeated, contradictory, or in two splits at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from manyheads.data.checks.report import Finding, Severity
from manyheads.data.checks.scan import Scan, count_of, label_key, text_columns
from manyheads.data.split import text_key


def empty_texts(scan: Scan) -> Iterator[Finding]:
    """Rows whose text is empty or white space; of parallel text, `check_pairs` tells."""
    if len(scan.sides_of_text) > 1:
        return
    found = {
        name: [
            position
            for position, texts in enumerate(zip(*text_columns(split), strict=True))
            if not all(text.strip() for text in texts)
        ]
        for name, split in scan.splits.items()
    }
    if total := sum(map(len, found.values())):
        message = f"{count_of(total, 'row')} with an empty text"
        # Blank lines of running text are the ends of its paragraphs.
        severity = Severity.NOTE if scan.is_plain else Severity.WARNING
        remedy = "take these rows out" + (", unless they end paragraphs" if scan.is_plain else "")
        yield scan.finding("empty", severity, message, remedy, found)


def duplicates(scan: Scan) -> Iterator[Finding]:
    """Rows that repeat text and label, or text and target, of an earlier row of their split."""
    found: dict[str, list[int]] = {}
    for name, by_key in scan.positions.items():
        labels = [label_key(label) for label in scan.labels(name)]
        labels = labels or [text_key(target) for _, target in scan.sides(name)]
        found[name] = sorted(
            position
            for first, *later in by_key.values()
            for position in later
            if not labels or labels[position] == labels[first]
        )
    if total := sum(map(len, found.values())):
        equal = "the same image" if scan.has_images else "equal up to case and white space"
        message = f"{count_of(total, 'row')} repeating an earlier row of the same split ({equal})"
        remedy = "take the repetitions out, unless their frequency means something"
        yield scan.finding("duplicate", Severity.WARNING, message, remedy, found)


def conflicts(scan: Scan) -> Iterator[Finding]:
    """Rows of the same text with different labels, within a split or across splits."""
    if scan.holds_questions:  # to have several right answers is no conflict
        return
    labels_of: dict[str, set[object]] = {}
    for name, by_key in scan.positions.items():
        labels = scan.labels(name)
        for key, positions in by_key.items():
            if labels:
                labels_of.setdefault(key, set()).update(label_key(labels[i]) for i in positions)
    torn = {key for key, labels in labels_of.items() if len(labels) > 1}
    if torn:
        found = {
            name: [position for position, key in enumerate(keys) if key in torn]
            for name, keys in scan.keys.items()
        }
        noun = "image" if scan.has_images else "text"
        message = f"{count_of(len(torn), noun)} with different labels"
        remedy = f"decide on one label for each of these {noun}s, or take them out"
        yield scan.finding("conflict", Severity.WARNING, message, remedy, found)


def leakage(scan: Scan) -> Iterator[Finding]:
    """Texts of one split that are also in another: the model has seen what it is judged by."""
    for earlier, later in combinations(scan.splits, 2):
        shared = scan.positions[earlier].keys() & scan.positions[later].keys()
        if not shared:
            continue
        found = {
            name: [position for position, key in enumerate(scan.keys[name]) if key in shared]
            for name in (later, earlier)
        }
        leaked, total = len(found[later]), len(scan.splits[later])
        noun = "image" if scan.has_images else "text"
        message = (
            f"{leaked:,} of {count_of(total, 'row')} in {later} ({leaked / total:.1%}) have "
            f"{'an' if scan.has_images else 'a'} {noun} of {earlier}: "
            f"{count_of(len(shared), f'different {noun}')}"
        )
        if not scan.has_images:
            seen = set(_exact_texts(scan, earlier, found[earlier]))
            exact = sum(texts in seen for texts in _exact_texts(scan, later, found[later]))
            message += (
                f", {exact:,} rows letter for letter and {leaked - exact:,} up to case and white "
                "space"
            )
        remedy = (
            f"take these rows out of {earlier}, or give every score with and without "
            f"those of {later}"
        )
        yield scan.finding("leakage", Severity.WARNING, message, remedy, found)


def _exact_texts(scan: Scan, split: str, positions: Sequence[int]) -> list[tuple[str, ...]]:
    columns = text_columns(scan.splits[split])
    return [tuple(column[position] for column in columns) for position in positions]
