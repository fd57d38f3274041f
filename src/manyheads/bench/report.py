"""What became of the requests of a load, as a table and as numbers."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from manyheads.bench.routes import Answered

_WIDTH = 96
_SHARES = (0.5, 0.9, 0.95, 0.99)
_COLUMNS = 32  # of the histogram
_BARS = " ▁▂▃▄▅▆▇█"
_LATE = 0.005  # seconds: a generator that is later than this has too little of the machine


@dataclass(frozen=True)
class Sample:
    """One request: when it was due, begun and done by the loop's clock, and what came of it.

    `said` is what a failed one was told.
    """

    due: float
    begun: float
    done: float
    answered: Answered
    said: str = ""

    @property
    def latency(self) -> float:
        """Seconds from when it was due to the last byte of its answer."""
        return self.done - self.due


class Report:
    """What a load showed of a service; print it, or take `to_json()`.

    Latencies are those of requests that were due in the measured time, throughput is of all answers
    that came in it. Failed requests have no latency, and are counted.
    """

    def __init__(self, load: str, samples: Sequence[Sample], begin: float, seconds: float) -> None:
        end = begin + seconds
        self.load = load
        self.seconds = seconds
        due = [one for one in samples if begin <= one.due < end]
        self.sent = len(due)
        self.latencies = sorted(one.latency for one in due if not one.answered.errors)
        self.lags = sorted(one.begun - one.due for one in due)
        self.errors = Counter(kind for one in due for kind in one.answered.errors)
        self.said = {one.answered.errors[0]: one.said for one in reversed(due) if one.said}
        inside = [one.answered for one in samples if begin <= one.done < end]
        tokens = [one.tokens for one in inside if one.tokens is not None]
        self.items_a_second = sum(one.items for one in inside) / seconds
        self.tokens_a_second = sum(tokens) / seconds if tokens else None

    @property
    def answered(self) -> int:
        """How many of the requests were answered in full."""
        return len(self.latencies)

    @property
    def is_late(self) -> bool:
        """Whether the generator itself was late, so that latencies say less of the service."""
        return bool(self.lags) and percentile(self.lags, 0.99) > _LATE

    def percentiles(self) -> dict[str, float]:
        """Return latencies in seconds by their names, such as p99; empty where there are none."""
        if not self.latencies:
            return {}
        named = {f"p{share * 100:g}": percentile(self.latencies, share) for share in _SHARES}
        return named | {"max": self.latencies[-1]}

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON, times in seconds."""
        return {
            "load": self.load,
            "seconds": self.seconds,
            "sent": self.sent,
            "answered": self.answered,
            "errors": dict(self.errors),
            "said": self.said,
            "items_per_second": self.items_a_second,
            "tokens_per_second": self.tokens_a_second,
            "latency": self.percentiles(),
            "histogram": [{"below": bound, "requests": count} for bound, count in self.histogram()],
            "generator_lag_p99": percentile(self.lags, 0.99) if self.lags else None,
        }

    def histogram(self) -> list[tuple[float, int]]:
        """Return how many latencies lie below each of some bounds, and above the one before.

        The bounds grow by the same factor each time.
        """
        if not self.latencies:
            return []
        low, high = self.latencies[0], self.latencies[-1]
        step = max(math.log(high / low) / _COLUMNS, 1e-9)
        places = Counter(
            min(_COLUMNS - 1, int(math.log(one / low) / step)) for one in self.latencies
        )
        return [(low * math.exp(step * (i + 1)), places[i]) for i in range(_COLUMNS)]

    def __str__(self) -> str:
        from rich.console import Console
        from rich.table import Table

        console = Console(file=io.StringIO(), width=_WIDTH, highlight=False, markup=False)
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), show_header=False)
        table.add_column()
        for _ in range(len(_SHARES) + 1):
            table.add_column(justify="right")
        for row in self._rows():
            table.add_row(*row)
        console.print(table)
        assert isinstance(console.file, io.StringIO)
        lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
        return "\n".join([f"{self.load}, {self.seconds:g} s", *lines, *self._remarks()])

    def _rows(self) -> list[list[str]]:
        tokens = self.tokens_a_second
        failed = self.sent - self.answered
        rows = [
            [
                "requests",
                f"{self.sent:,} sent",
                f"{self.answered:,} answered",
                f"{failed:,} failed",
            ],
            [
                "throughput",
                f"{self.items_a_second:,.1f} items/s",
                "– tokens/s" if tokens is None else f"{tokens:,.0f} tokens/s",
            ],
        ]
        if found := self.percentiles():
            rows.append(["latency", *found])
            rows.append(["  ms", *(f"{seconds * 1000:,.1f}" for seconds in found.values())])
        return rows

    def _remarks(self) -> list[str]:
        lines = []
        if counts := [count for _, count in self.histogram()]:
            scale = (len(_BARS) - 1) / max(counts)
            bars = "".join(_BARS[math.ceil(count * scale)] for count in counts)
            low, high = (self.latencies[i] * 1000 for i in (0, -1))
            lines.append(f"{low:,.1f} ms ▕{bars}▏ {high:,.1f} ms")
        for kind, count in self.errors.most_common():
            lines.append(f"{count:,} × {kind}: {self.said.get(kind, '')}".rstrip(": "))
        if self.is_late:
            late = percentile(self.lags, 0.99) * 1000
            lines.append(f"The generator was late itself, p99 {late:.1f} ms: give it more cores.")
        return lines


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of some ordered numbers that no fewer than such a share do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
