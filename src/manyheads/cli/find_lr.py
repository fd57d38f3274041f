"""`manyheads find-lr`: which learning rate suits a model and its data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli import learning, options, rows
from manyheads.cli.opening import busy
from manyheads.cli.output import notice, show
from manyheads.cli.unfold import unfolded
from manyheads.errors import RecipeError

if TYPE_CHECKING:
    from manyheads.train.rates.lr_probes import Search

Plot = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Where to draw the loss over the learning rate."),
]
Share = Annotated[
    float | None,
    typer.Option(help="Of the updates of one run, what all short runs take; 0.5 if unset."),
]
Ranged = Annotated[
    bool,
    typer.Option("--range-test", help="Raise the rate in one run instead, by its training loss."),
]
Steps = Annotated[
    int | None, typer.Option(help="How many updates the range test makes; 100 if unset.")
]


@unfolded
def find_lr(
    labelled: rows.Labelled,
    held_out: rows.HeldOut,
    setup: learning.Setup,
    share: Share = None,
    range_test: Ranged = False,
    steps: Steps = None,
    plot: Plot = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Suggest a learning rate after short runs that are judged on held-out rows."""
    search = _search(share, steps, ranged=range_test)
    with busy("reading", quiet):
        learner = setup.learner(setup.read(labelled, held_out), quiet=quiet)
    found = learner.find_lr(search)
    if plot is not None:
        found.draw(plot)
        notice(f"drawn in {plot}", quiet)
    show(found, found.to_json(), as_json)


def _search(share: float | None, steps: int | None, *, ranged: bool) -> Search | None:
    """Return what was asked for, None for what is usual; raises `RecipeError` for both."""
    from manyheads.train.rates.lr_finder import RangeTest
    from manyheads.train.rates.lr_probes import RateProbes

    if ranged:
        if share is not None:
            raise RecipeError("--share is for short runs; leave it out with --range-test")
        return RangeTest() if steps is None else RangeTest(steps)
    if steps is not None:
        raise RecipeError("--steps is for --range-test; say by --share how long short runs are")
    return None if share is None else RateProbes(share=share)
