"""`manyheads train --track`: who is told what happens in a run."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.errors import ConfigError

if TYPE_CHECKING:
    from manyheads.train import Tracker


class TrackerName(StrEnum):
    """Who keeps the curves of runs."""

    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    WANDB = "wandb"


Track = Annotated[
    list[TrackerName] | None,
    typer.Option(
        metavar="NAME",
        help="tensorboard (files in DIR/run/tensorboard), mlflow (where MLFLOW_TRACKING_URI says) "
        "or wandb (WANDB_MODE=offline keeps all here). Repeatable.",
    ),
]


def trackers_of(names: Sequence[TrackerName], *, kept: bool) -> list[Tracker]:
    """Return the trackers of these names; `kept` says that the run has a folder.

    Raises `ConfigError` for one that takes a folder, `MissingExtra` for one that is not installed.
    """
    if TrackerName.TENSORBOARD in names and not kept:
        raise ConfigError("--track tensorboard needs --out, the folder for its files")
    if not names:
        return []
    from manyheads.train import MLflow, TensorBoard, WandB

    kinds: dict[TrackerName, type] = {
        TrackerName.TENSORBOARD: TensorBoard,
        TrackerName.MLFLOW: MLflow,
        TrackerName.WANDB: WandB,
    }
    return [kinds[name]() for name in dict.fromkeys(names)]
