"""What a person sees while training: a bar with loss, speed and time left, validation lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from manyheads.train.pace import spoken
from manyheads.train.readable import readable

if TYPE_CHECKING:
    from manyheads.train.loop import Step

_SMOOTHING = 0.95
_SHOWN = (
    "f1",
    "accuracy",
    "macro_f1",
    "micro_f1",
    "pearson",
    "spearman",
    "root_mean_squared_error",
    "bleu",
    "rouge_l",
    "perplexity",
    "bits_per_byte",
    "token_accuracy",
)


@dataclass
class Reporter:
    """Writes progress to standard error, or nowhere where `quiet`."""

    quiet: bool = False
    console: Console = field(default_factory=lambda: Console(stderr=True))

    @property
    def _no_bars(self) -> bool:
        """Whether bars would only fill a log."""
        return self.quiet or not self.console.is_terminal

    def say(self, message: str) -> None:
        """Write one line."""
        if not self.quiet:
            self.console.print(message, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def steps(self, total: int, done: int) -> Iterator[Callable[[Step, float], None]]:
        """Show a bar over the steps of a run; the block gets what each step is told to, with the
        seconds that are left.
        """
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
        )
        with Progress(
            *columns, console=self.console, disable=self._no_bars, transient=True
        ) as progress:
            bar = progress.add_task("training", total=total, completed=done, facts="")
            smooth, rate, rate_seconds = _Smooth(), _Smooth(), _Smooth()

            def show(step: Step, left: float) -> None:
                speed = rate.add(step.tokens) / rate_seconds.add(step.seconds)
                facts = (
                    f"loss {smooth.add(step.loss):.3f} · {speed:,.0f} tok/s · {spoken(left)} left"
                )
                progress.update(bar, completed=step.number, facts=facts)

            yield show

    @contextmanager
    def rows(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a bar over rows; the block gets what each finished number of rows is told to."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(
            *columns, console=self.console, disable=self._no_bars, transient=True
        ) as progress:
            bar = progress.add_task(what, total=total)
            yield lambda rows: progress.advance(bar, rows)

    def epoch(self, epoch: int, loss: float) -> None:
        """Write the line of an epoch without validation."""
        self.say(f"epoch {epoch:>3}   training     loss {readable(loss)}")

    def validation(self, epoch: int, scores: Mapping[str, float], best: bool) -> None:
        """Write the line of one validation."""
        names = _metrics_of_heads(scores) or [name for name in _SHOWN if name in scores][:2]
        shown = [f"{name} {readable(scores[name])}" for name in names]
        facts = "   ".join([f"loss {readable(scores['loss'])}", *shown])
        self.say(f"epoch {epoch:>3}   validation   {facts}{'   ← best' if best else ''}")


def _metrics_of_heads(scores: Mapping[str, float]) -> list[str]:
    """Return of each head of many its first score, which its task is chosen by."""
    of_heads = [name for name in scores if "." in name]
    return list({name.partition(".")[0]: name for name in reversed(of_heads)}.values())[::-1]


@dataclass
class _Smooth:
    """An exponential mean that is right from its first value on."""

    total: float = 0.0
    weight: float = 0.0

    def add(self, value: float) -> float:
        self.total = _SMOOTHING * self.total + value
        self.weight = _SMOOTHING * self.weight + 1.0
        return self.total / self.weight
