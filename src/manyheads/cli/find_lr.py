"""`manyheads find-lr`: which learning rate suits a model and its data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from manyheads.cli import learning, options
from manyheads.cli.output import notice, show

Plot = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Where to draw the loss over the learning rate."),
]
Steps = Annotated[int, typer.Option(help="How many updates the test makes.")]


def find_lr(
    data: options.Data,
    text: options.Text = None,
    label: options.Label = None,
    pair: options.Pair = None,
    encoding: options.Encoding = None,
    clean: options.Cleaning = None,
    task: options.Task = None,
    class_weights: options.ClassWeights = None,
    label_smoothing: options.LabelSmoothing = 0.0,
    model: options.Model = options.MINILM,
    layers: options.Layers = None,
    width: options.Width = None,
    heads: options.Heads = None,
    vocabulary: options.Vocabulary = None,
    recipe: options.RecipeFile = None,
    assignments: options.Assignments = None,
    steps: Steps = 100,
    plot: Plot = None,
    device: options.Device = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Suggest a learning rate after a short range test."""
    with learning.busy("trying learning rates", quiet):
        from manyheads.data import read

        dataset = read(data, text=text, label=label, pair=pair, valid=0, encoding=encoding)
        from manyheads.train import Learner

        chosen = learning.recipe_of(recipe, assignments)
        learner = Learner(
            learning.model_of(model, chosen, layers, width, heads, vocabulary),
            learning.task_of(task, dataset, class_weights, label_smoothing),
            dataset,
            chosen,
            cleaning=learning.cleaning_of(clean),
            device=learning.device_of(device),
            quiet=quiet,
        )
        found = learner.find_lr(steps)
    if plot is not None:
        found.draw(plot)
        notice(f"drawn in {plot}", quiet)
    show(found, found.to_json(), as_json)
