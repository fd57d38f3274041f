"""Checks of tagged words: entities that go on without having begun."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from manyheads.data.checks.report import Finding, Severity
from manyheads.data.checks.scan import Scan, count_of


def entities_without_beginning(scan: Scan) -> Iterator[Finding]:
    """Entities that begin with I-: slips, or all of them where the tags are IOB1."""
    if not scan.is_tagged:
        return
    begun = {"B": 0, "I": 0}
    found: dict[str, list[int]] = {}
    for name in scan.splits:
        for position, label in enumerate(scan.labels(name)):
            tags = ("", *label.tags)
            for before, tag in pairwise(tags):
                # Behind an entity of its own type, B- is how IOB1 begins another one.
                if tag.startswith("B-") and before[2:] != tag[2:]:
                    begun["B"] += 1
                elif tag.startswith("I-") and before[2:] != tag[2:]:
                    begun["I"] += 1
                    found.setdefault(name, []).append(position)
    if not begun["I"]:
        return
    if not begun["B"]:
        message = "no entity begins with B-: the tags are IOB1, and read as that"
        yield scan.finding("iob1", Severity.NOTE, message)
        return
    message = (
        f"{count_of(begun['I'], 'entity', 'entities')} of {sum(begun.values()):,} begin with I-"
    )
    remedy = "they are taken to begin there; look whether the word before belongs to them"
    rows = {name: sorted(set(rows)) for name, rows in found.items()}
    yield scan.finding("no_beginning", Severity.WARNING, message, remedy, rows)
