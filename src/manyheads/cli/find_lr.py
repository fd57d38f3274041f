"""`manyheads find-lr`: which learning rate suits a model and its data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from manyheads.cli import learning, options
from manyheads.cli.output import notice, show
from manyheads.cli.unfold import unfolded

Plot = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Where to draw the loss over the learning rate."),
]
Steps = Annotated[int, typer.Option(help="How many updates the test makes.")]


@unfolded
def find_lr(
    labelled: learning.Labelled,
    setup: learning.Setup,
    steps: Steps = 100,
    plot: Plot = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Suggest a learning rate after a short range test."""
    with learning.busy("trying learning rates", quiet):
        learner = setup.learner(labelled.read(images=setup.reads_images), quiet=quiet)
        found = learner.find_lr(steps)
    if plot is not None:
        found.draw(plot)
        notice(f"drawn in {plot}", quiet)
    show(found, found.to_json(), as_json)
