"""What a `Learner` is given, looked at before a model is opened for it."""

from __future__ import annotations

from collections.abc import Mapping

from manyheads.data import Dataset
from manyheads.errors import ConfigError, RecipeError
from manyheads.tasks import Task, Tunable


def require_kinds(task: object, data: object) -> None:
    """Raise `ConfigError` for what is easily given instead of a task, or instead of data."""
    if isinstance(task, type | str):
        name = task if isinstance(task, str) else task.__name__
        raise ConfigError(f"the task {name!r} is a name or a class; give one, as mh.{name}()")
    sets = list(data.values()) if isinstance(data, Mapping) else [data]
    if kinds := sorted({type(one).__name__ for one in sets if not isinstance(one, Dataset)}):
        raise ConfigError(
            f"data of type {', '.join(kinds)}: nothing says which column is for what; read them, "
            "as mh.read(data, text=..., label=...) does"
        )


def require_held_out(task: Task, data: Dataset) -> None:
    """Raise `RecipeError` where a rule is to be chosen, and there are no rows for that."""
    wanted = task.wanted if isinstance(task, Tunable) else ""
    if wanted and data.valid is None:
        raise RecipeError(
            f"{wanted}: chosen on rows that are held out, and none are; hold some out with "
            "valid=0.1 (--valid 0.1), or leave it out"
        )
