"""`manyheads train --from RUN`: train once more, exactly as a run was trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from manyheads.cli import learning, rows
from manyheads.cli.facts import differences, facts_of
from manyheads.cli.options import Augment, Clean, TaskKind, ThresholdsFor, Weighting
from manyheads.cli.output import notice
from manyheads.cli.run_folder import RunFolder, require_same_data
from manyheads.cli.trials import Repeats
from manyheads.errors import ConfigError

if TYPE_CHECKING:
    from manyheads.data import Dataset

Group = TypeVar("Group")
Groups = tuple[rows.Labelled, rows.HeldOut, learning.Setup, Repeats]

Run = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="RUN",
        help="Train once more as the run in this folder was trained, to the same bits; DATA is "
        "only needed where the data were moved.",
    ),
]


def as_it_was(run: Path, given: Groups, out: Path | None) -> Groups:
    """Return the options that a run was begun with.

    Raises `ConfigError` where others are given beside it, and where `out` is the run itself.
    """
    folder = RunFolder(run)
    if out is not None and out.resolve() == run.resolve():
        raise ConfigError(f"--out {out} is the run itself, which would be lost; name another one")
    for group in given:
        _refuse_all(group, run)
    data = given[0].data
    arguments = folder.arguments() | ({"data": data} if data else {})
    typed = {
        "clean": [Clean(step) for step in arguments["clean"]] or None,
        "augment": [Augment(change) for change in arguments["augment"]] or None,
        "task": arguments["task"] and TaskKind(arguments["task"]),
        "thresholds": arguments["thresholds"] and ThresholdsFor(arguments["thresholds"]),
        "class_weights": arguments["class_weights"] and Weighting(arguments["class_weights"]),
        "recipe": folder.recipe,
    }
    return (
        _of(rows.Labelled, arguments),
        _of(rows.HeldOut, arguments),
        _of(learning.Setup, arguments | typed),
        _of(Repeats, arguments),
    )


def comparison(run: Path, quiet: bool) -> Callable[[Dataset], None]:
    """Return what looks at the data of a repetition.

    It raises `ConfigError` for other data than those of the run, and tells of other versions,
    threads and machines.
    """
    folder = RunFolder(run)
    then = folder.facts()

    def compare(dataset: Dataset) -> None:
        now = facts_of(dataset)
        require_same_data(folder, now)
        if found := differences(then, now):
            notice(f"not as it was, so the bits may differ: {'; '.join(found)}", quiet)

    return compare


def _of(group: type[Group], arguments: Mapping[str, Any]) -> Group:
    """Return a group of options with the values that a run was begun with."""
    names = {field.name for field in fields(group)}  # type: ignore[arg-type]
    return group(**{name: value for name, value in arguments.items() if name in names})


def _refuse_all(group: Any, run: Path) -> None:
    """Raise `ConfigError` for an option of the group that was given; DATA may be."""
    hints = get_type_hints(type(group), include_extras=True)
    for field in fields(group):
        if field.name != "data" and getattr(group, field.name) != field.default:
            (option,) = hints[field.name].__metadata__
            chosen = isinstance(option.default, str)  # what typer takes first is the spelling
            name = option.default if chosen else f"--{field.name.replace('_', '-')}"
            raise ConfigError(f"--from {run} repeats a run as it was; leave {name} out")
