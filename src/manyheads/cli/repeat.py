"""`manyheads repeat`: train once more, exactly as a run was trained."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from manyheads.cli import learning, options
from manyheads.cli.facts import differences, facts_of
from manyheads.cli.options import Augment, Clean, TaskKind, ThresholdsFor, Weighting
from manyheads.cli.output import notice
from manyheads.cli.run_folder import RunFolder
from manyheads.cli.train import trained
from manyheads.cli.trials import Repeats
from manyheads.errors import ConfigError

if TYPE_CHECKING:
    from manyheads.data import Dataset

Group = TypeVar("Group")

Run = Annotated[
    Path, typer.Argument(metavar="RUN", help="The folder that `manyheads train --out` wrote.")
]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Folder for the new run.")]
Data = Annotated[
    str | None, typer.Option(metavar="DATA", help="Where the data are now, if they were moved.")
]


def repeat(
    run: Run,
    out: Out,
    data: Data = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Train once more by a run's data, arguments and recipe: to the same bits on the same machine.

    Other data are refused; other versions of what computes are told.

    \b
    Example:
      manyheads repeat reviews-model --out again
    """
    folder = RunFolder(run)
    arguments = folder.arguments() | ({"data": data} if data else {})
    if out.resolve() == run.resolve():
        raise ConfigError(f"--out {out} is the run itself, which would be lost; name another one")
    labelled, held_out = _of(learning.Labelled, arguments), _of(learning.HeldOut, arguments)
    typed = {
        "clean": [Clean(step) for step in arguments["clean"]] or None,
        "augment": [Augment(change) for change in arguments["augment"]] or None,
        "task": arguments["task"] and TaskKind(arguments["task"]),
        "thresholds": arguments["thresholds"] and ThresholdsFor(arguments["thresholds"]),
        "class_weights": arguments["class_weights"] and Weighting(arguments["class_weights"]),
        "recipe": folder.recipe,
    }
    setup = _of(learning.Setup, arguments | typed)

    def compare(dataset: Dataset) -> None:
        _compare(folder.facts(), facts_of(dataset), run, quiet)

    trained(
        labelled,
        held_out,
        setup,
        _of(Repeats, arguments),
        out,
        resume=False,
        quiet=quiet,
        as_json=as_json,
        inspect=compare,
    )


def _of(group: type[Group], arguments: dict[str, Any]) -> Group:
    """Return a group of options with the values that a run was begun with."""
    names = {field.name for field in fields(group)}  # type: ignore[arg-type]
    return group(**{name: value for name, value in arguments.items() if name in names})


def _compare(then: dict[str, Any], now: dict[str, Any], run: Path, quiet: bool) -> None:
    """Raise `ConfigError` for other data; tell of other versions, threads and machines."""
    if then.get("data", {}) != now["data"]:
        changed = ", ".join(differences(then.get("data", {}), now["data"])) or "nothing was noted"
        raise ConfigError(
            f"the data are not those of the run in {run} ({changed}); give them as they were"
        )
    if changed := differences(then, now):
        notice(f"not as it was, so the bits may differ: {'; '.join(changed)}", quiet)
