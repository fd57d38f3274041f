"""From options to what a `Learner` is made of; `train` and `find-lr` share it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from manyheads.cli.options import Clean, TaskKind, Weighting
from manyheads.errors import ConfigError, DataError, MissingExtra, RecipeError

if TYPE_CHECKING:
    from manyheads.data import Dataset
    from manyheads.hub.scratch import Scratch
    from manyheads.tasks import Classification, MultiLabel, Regression
    from manyheads.text import Cleaning
    from manyheads.train import Recipe

SCRATCH = "scratch"


def share_or_source(value: str | None) -> float | str | None:
    """Return a share of the rows as a number, and anything else as the source that it names."""
    try:
        return None if value is None else float(value)
    except ValueError:
        return value


def recipe_of(file: Path | None, assignments: Sequence[str] | None) -> Recipe:
    """Return the recipe in a file, or the usual one, with single settings changed."""
    from manyheads.train import Recipe

    recipe = Recipe() if file is None else Recipe.from_file(file)
    return recipe.with_settings(assignments or ())


def cleaning_of(steps: Sequence[Clean] | None) -> Cleaning:
    """Return the usual cleaning, or none, with the steps that were asked for."""
    from manyheads.text import Cleaning

    chosen = set(steps or ())
    usual = Clean.NONE not in chosen
    return Cleaning(
        html=Clean.HTML in chosen,
        unicode=usual,
        controls=usual,
        surrogates=Clean.SURROGATES in chosen,
    )


def model_of(
    reference: str,
    recipe: Recipe,
    layers: int | None,
    width: int | None,
    heads: int | None,
    vocabulary: int | None,
) -> str | Scratch:
    """Return what to train: a published model, or one from scratch with the sizes that are given.

    Raises `ConfigError` for sizes beside a published model.
    """
    sizes = {"layers": layers, "width": width, "heads": heads}
    given = {name: size for name, size in sizes.items() if size is not None}
    if reference != SCRATCH:
        if given or vocabulary is not None:
            name = next(iter(given), "vocabulary")
            raise ConfigError(f"--{name} is for --model scratch; {reference} has sizes of its own")
        return reference
    from manyheads.hub.scratch import Scratch
    from manyheads.text import BytePair

    tokenizer = BytePair() if vocabulary is None else BytePair(vocabulary)
    limit = {} if recipe.max_tokens is None else {"max_tokens": recipe.max_tokens}
    return Scratch(**given, **limit, tokenizer=tokenizer)


def task_of(
    kind: TaskKind | None,
    data: Dataset,
    class_weights: Weighting | None,
    label_smoothing: float,
) -> Classification | MultiLabel | Regression:
    """Return the task that was asked for, or the one that the labels are for.

    Raises `DataError` without labels, `RecipeError` for options that the task does not have.
    """
    from manyheads.tasks import Balance, Classification, MultiLabel, Regression

    labels = data.train.columns.get("label")
    if labels is None:
        raise DataError(f"{data.train.source}: which column holds the labels? Choose --label COL")
    if kind is None:
        lists = any(isinstance(label, list | tuple) for label in labels)
        kind = TaskKind.MULTI_LABEL if lists else TaskKind.CLASSIFICATION
    if kind is TaskKind.CLASSIFICATION:
        balance = Balance.INVERSE if class_weights is Weighting.BALANCED else None
        return Classification(class_weights=balance, label_smoothing=label_smoothing)
    if class_weights is not None or label_smoothing:
        option = "--class-weights" if class_weights is not None else "--label-smoothing"
        raise RecipeError(f"{option} is for classification; leave it out for {kind}")
    return MultiLabel() if kind is TaskKind.MULTI_LABEL else Regression()


def device_of(name: str | None) -> str:
    """Return the device of that name, or the fastest one.

    Raises `ConfigError` where this machine has no such device.
    """
    import torch

    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError):
        there = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise ConfigError(
            f"this machine has no device {name!r}; choose one of {', '.join(there)}"
        ) from None
    return name


def require_scores() -> None:
    """Raise `MissingExtra` before a long run, where its scores could not be computed after it."""
    if importlib.util.find_spec("sklearn") is None:
        raise MissingExtra("scikit-learn", "eval", "scoring a model")


def busy(what: str, quiet: bool) -> AbstractContextManager[object]:
    """Show on a terminal what goes on while nothing else is shown."""
    if quiet:
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(f"{what} …")
