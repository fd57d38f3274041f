"""What `check` says: findings with their rows and a remedy, and the lengths of the texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from manyheads.data.dataset import Split, printable

_SHOWN_ROWS = 8
_BAR_WIDTH = 40
_EIGHTHS = " ▏▎▍▌▋▊▉█"


class Severity(StrEnum):
    """How bad a finding is: the run will fail or mislead, something is worth mending, or a fact."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing that was found in a dataset.

    Attributes:
        kind: its name, e.g. ``"leakage"``.
        severity: how bad it is.
        message: what was found, in one sentence.
        rows: by split, the numbers of the rows in their source (line numbers for text files).
        remedy: what to do about it; empty for a mere fact.
        places: the rows in words, a line per split, e.g. ``test: lines 3, 17 of reviews.csv``.
    """

    kind: str
    severity: Severity
    message: str
    rows: Mapping[str, Sequence[int]]
    remedy: str
    places: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON values, with all its rows."""
        return {
            "kind": self.kind,
            "severity": str(self.severity),
            "message": self.message,
            "rows": {split: list(numbers) for split, numbers in self.rows.items()},
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class Histogram:
    """How long the texts of a split are, in bins that double in width.

    Attributes:
        split: the name of the split.
        unit: what was counted: ``"characters"`` or ``"tokens"``.
        bins: first length, last length and number of texts of each bin.
        median: the length that half of the texts do not exceed.
        percentile_95: the length that 95 of 100 texts do not exceed.
        longest: the greatest length.
        role: whose lengths they are: ``"text"`` or ``"target"``.
    """

    split: str
    unit: str
    bins: tuple[tuple[int, int, int], ...]
    median: int
    percentile_95: int
    longest: int
    role: str = "text"

    @classmethod
    def of(cls, split: str, unit: str, lengths: Sequence[int], role: str = "text") -> Histogram:
        """Count the lengths of a split's texts: at least one."""
        ordered = sorted(lengths)
        counts = [0] * (ordered[-1].bit_length() + 1)
        for length in ordered:
            counts[length.bit_length()] += 1
        bins = [(1 << n >> 1, max(0, (1 << n) - 1), count) for n, count in enumerate(counts)]
        while not bins[0][2]:
            bins.pop(0)
        half, most = (len(ordered) - 1) // 2, (len(ordered) - 1) * 95 // 100
        return cls(split, unit, tuple(bins), ordered[half], ordered[most], ordered[-1], role)

    def to_json(self) -> dict[str, Any]:
        """Return the histogram as JSON values."""
        bins = [{"from": first, "to": last, "texts": texts} for first, last, texts in self.bins]
        return {
            "split": self.split,
            "role": self.role,
            "unit": self.unit,
            "median": self.median,
            "percentile_95": self.percentile_95,
            "longest": self.longest,
            "bins": bins,
        }

    def text(self) -> str:
        """Draw the histogram with one bar per bin."""
        lines = [
            f"{self.split}: {self.unit} per {self.role}: median {self.median:,}, "
            f"95 % up to {self.percentile_95:,}, longest {self.longest:,}"
        ]
        highest = max(texts for _, _, texts in self.bins)
        width = len(f"{self.bins[-1][1]:,}")
        for first, last, texts in self.bins:
            bar = _bar(texts / highest)
            lines.append(f"  {first:>{width},} – {last:>{width},} {bar:<{_BAR_WIDTH}} {texts:,}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Report:
    """All findings, the gravest first, and the lengths of the texts."""

    summary: str
    findings: tuple[Finding, ...]
    histograms: tuple[Histogram, ...]

    @property
    def worst(self) -> Severity:
        """The severity of the gravest finding; NOTE if nothing is wrong."""
        severities = {finding.severity for finding in self.findings}
        return next((severity for severity in Severity if severity in severities), Severity.NOTE)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values, with all row numbers."""
        return {
            "summary": self.summary.splitlines(),
            "findings": [finding.to_json() for finding in self.findings],
            "lengths": [histogram.to_json() for histogram in self.histograms],
        }

    def text(self) -> str:
        """Return the report for a terminal."""
        parts = [self.summary]
        parts += [histogram.text() for histogram in self.histograms]
        parts += [_finding_text(finding) for finding in self.findings]
        if self.worst is Severity.NOTE:
            parts.append("Nothing needs mending.")
        return printable("\n\n".join(parts))


def describe_rows(split: Split, positions: Sequence[int]) -> str:
    """Return rows in words, e.g. ``test: lines 3, 17, … (330 in all) of reviews.csv``."""
    shown = positions[:_SHOWN_ROWS]
    more = f", … ({len(positions):,} in all)" if len(positions) > len(shown) else ""
    source = Path(split.source).name
    if split.files is not None:
        return f"{split.name}: {', '.join(split.files[i] for i in shown)}{more} in {source}"
    unit = split.unit if len(positions) == 1 else f"{split.unit}s"
    numbers = ", ".join(str(split.rows[i]) for i in shown)
    return f"{split.name}: {unit} {numbers}{more} of {source}"


def _finding_text(finding: Finding) -> str:
    lines = [f"{finding.severity.upper():<8}{finding.kind}: {finding.message}"]
    lines += [f"        {place}" for place in finding.places]
    if finding.remedy:
        lines.append(f"        → {finding.remedy}")
    return "\n".join(lines)


def _bar(share: float) -> str:
    full, eighth = divmod(round(share * _BAR_WIDTH * 8), 8)
    return ("█" * full + _EIGHTHS[eighth]).rstrip() or ("▏" if share else "")
