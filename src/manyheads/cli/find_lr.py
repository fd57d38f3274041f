"""`manyheads find-lr`: a learning-rate range test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from manyheads.cli import options
from manyheads.cli.output import notice, show


def find_lr(
    data: options.Data,
    text: options.Text = None,
    label: options.Label = None,
    pair: options.Pair = None,
    encoding: options.Encoding = None,
    task: options.TaskChoice = None,
    model: options.Model = options.DEFAULT_MODEL,
    recipe: options.RecipeFile = None,
    settings: options.Settings = None,
    clean: options.Clean = None,
    steps: Annotated[int, typer.Option(help="Updates of the test.")] = 100,
    plot: Annotated[Path | None, typer.Option(help="Save the curve as this picture.")] = None,
    device: options.Device = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Suggest a learning rate from one short run in which the rate grows until the loss does."""
    plan = options.recipe_of(recipe, settings)
    cleaning = options.cleaning_of(clean)

    from manyheads.data import read
    from manyheads.train import Learner

    dataset = read(data, text=text, label=label, pair=pair, valid=0, encoding=encoding)
    learner = Learner(
        model,
        options.task_of(task, dataset, {}),
        dataset,
        plan,
        cleaning=cleaning,
        device=device,
        quiet=quiet,
    )
    rates = learner.find_lr(steps)
    if plot is not None:
        notice(f"drew {rates.draw(plot)}", quiet)
    show(rates, rates.to_json(), as_json)
