"""Checks of parallel text: empty sides, copies, and pairs whose lengths do not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median

from manyheads.data.checks.report import Finding, Severity
from manyheads.data.checks.scan import Scan, count_of
from manyheads.data.split import text_key

_MANY_COPIES = 0.01
_LOPSIDED = 3.0  # times as long as the other side lets expect
_LONG = 30  # characters by which it must be longer: ratios of short texts vary


def empty_sides(scan: Scan) -> Iterator[Finding]:
    """Pairs of which one side or both are empty or white space."""
    found = _matching(scan, lambda text, target: not (text.strip() and target.strip()))
    if total := sum(map(len, found.values())):
        message = f"{count_of(total, 'pair')} with an empty side"
        remedy = "mend them, or leave them out with drop_empty=True (--drop-empty)"
        yield scan.finding("empty_side", Severity.ERROR, message, remedy, found)


def copies(scan: Scan) -> Iterator[Finding]:
    """Pairs whose target is the source again: perhaps never translated.

    Even few of them teach a model to copy (Khayrallah and Koehn, "On the Impact of Various Types
    of Noise on Neural Machine Translation", 2018).
    """
    found = _matching(
        scan, lambda text, target: bool(text.strip()) and text_key(text) == text_key(target)
    )
    if total := sum(map(len, found.values())):
        pairs = sum(map(len, scan.splits.values()))
        message = (
            f"{count_of(total, 'pair')} ({total / pairs:.1%}) whose target is its source "
            "(equal up to case and white space)"
        )
        remedy = "take them out, unless they are names, numbers and the like"
        severity = Severity.WARNING if total > _MANY_COPIES * pairs else Severity.NOTE
        yield scan.finding("copy", severity, message, remedy, found)


def lopsided(scan: Scan) -> Iterator[Finding]:
    """Pairs of which one side is much longer than the other lets expect."""
    sides = scan.sides("train")
    ratios = [len(target) / len(text) for text, target in sides if text.strip() and target.strip()]
    if not ratios:
        return
    usual = median(ratios)

    def is_lopsided(text: str, target: str) -> bool:
        if not (text.strip() and target.strip()):
            return False
        shorter, longer = sorted((usual * len(text), float(len(target))))
        return longer > _LOPSIDED * shorter and longer - shorter > _LONG

    found = _matching(scan, is_lopsided)
    if total := sum(map(len, found.values())):
        message = (
            f"{count_of(total, 'pair')} with one side more than {_LOPSIDED:g} times as long as "
            f"usual (usual: {usual:.2f} characters of target for each of source)"
        )
        remedy = "look whether they are translations of each other, and whole"
        yield scan.finding("lopsided", Severity.WARNING, message, remedy, found)


def _matching(scan: Scan, matches: Callable[[str, str], bool]) -> dict[str, list[int]]:
    return {
        name: [position for position, pair in enumerate(scan.sides(name)) if matches(*pair)]
        for name in scan.splits
    }
