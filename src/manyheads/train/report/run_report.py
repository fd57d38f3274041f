"""All that is to be said of a run, gathered once: for a page (`page`) and for a card (`card`).

What would take long on much data is bounded: data of more than 200,000 rows are not checked, wrong
labels are looked for among 2,000 training rows, and `analysis` says what bounds slices.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from manyheads.data import Dataset, Finding, Split, check
from manyheads.errors import DataError, MissingExtra
from manyheads.hub import Pretrained
from manyheads.hub.scratch import Blueprint
from manyheads.tasks import Classification, Task
from manyheads.tasks.task import device_of
from manyheads.text import Cleaning
from manyheads.train.analysis.analysis import Analysis
from manyheads.train.analysis.label_errors import LabelError, find_label_errors
from manyheads.train.history import History
from manyheads.train.recipe import Recipe
from manyheads.train.report.evaluation import Evaluation, Truncated
from manyheads.train.report.plots import draw_training_curve

MOST_CHECKED = 200_000  # rows
MOST_SUSPECTED = 2_000  # training rows
CURVE, CONFUSION = "training-curve", "confusion-matrix"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")


@dataclass(frozen=True)
class ModelFacts:
    """What was trained: where it comes from, its family and sizes."""

    origin: str
    published: str | None  # the id on the Hub that it was opened by
    family: str
    parameters: int
    layers: int
    width: int
    heads: int
    vocabulary: int
    device: str


@dataclass(frozen=True)
class Suspects:
    """Training rows whose labels are probably wrong, or why none were looked for."""

    rows: tuple[LabelError, ...] = ()
    examined: int = 0
    reason: str = ""


@dataclass(frozen=True)
class RunReport:
    """What was trained on what, how, how good it is, and what is wrong with it and with its data.

    Without held-out rows there is neither `evaluation` nor `analysis`; `findings` are None for data
    that are too many to be checked, `suspects` for tasks without one label per row.
    """

    task: Task
    model: ModelFacts
    data: Dataset
    cleaning: Cleaning
    recipe: Recipe
    history: History
    truncated: Mapping[str, Truncated]
    evaluation: Evaluation | None
    analysis: Analysis | None
    findings: tuple[Finding, ...] | None
    suspects: Suspects | None

    @property
    def metric(self) -> str:
        """The score that chose the best weights."""
        return self.recipe.metric or self.task.metric

    @property
    def seconds(self) -> float:
        """How long the updates took, without validations."""
        return sum(step.seconds for step in self.history.steps)

    def pictures(self) -> dict[str, bytes]:
        """Return the pictures that there are to draw, as PNG, by name.

        Raises `MissingExtra` without matplotlib.
        """
        drawn: dict[str, bytes] = {}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "picture.png"
            if self.history.steps:
                draw_history(self.history, self.metric, path)
                drawn[CURVE] = path.read_bytes()
            if self.evaluation is not None and self.evaluation.draw(path) is not None:
                drawn[CONFUSION] = path.read_bytes()
        return drawn


def draw_history(history: History, metric: str, path: Path) -> None:
    """Save the training curve as a picture; raises `MissingExtra` without matplotlib."""
    validations = [(one.step, one.scores[metric]) for one in history.validations]
    draw_training_curve([step.loss for step in history.steps], validations, metric, path)


def changed_settings(recipe: Recipe) -> dict[str, tuple[Any, Any]]:
    """Return the settings of a recipe that are not the usual ones, with the usual ones beside."""
    usual, given = Recipe().to_json(), recipe.to_json()
    return {name: (given[name], usual[name]) for name in given if given[name] != usual[name]}


def describe_model(
    origin: str | Path | Pretrained | Blueprint, model: nn.Module, pretrained: Pretrained
) -> ModelFacts:
    """Return what is to be said of a model that was opened, or built, from `origin`."""
    spec = pretrained.transformer.spec
    stacks = [stack for stack in (spec.encoder, spec.decoder) if stack is not None]
    return ModelFacts(
        origin=_origin(origin),
        published=_published(origin),
        family=pretrained.family.name,
        parameters=sum(weights.numel() for weights in model.parameters()),
        layers=sum(len(stack.blocks) for stack in stacks),
        width=spec.width,
        heads=stacks[0].blocks[0].attention.heads,
        vocabulary=spec.embed.vocabulary,
        device=str(device_of(model)),
    )


def inspect_data(data: Dataset) -> tuple[Finding, ...] | None:
    """Return what `check` finds in data, None where that would take long."""
    if sum(map(len, data.splits())) > MOST_CHECKED:
        return None
    return tuple(finding for part in data.sets().values() for finding in check(part).findings)


def suspect_labels(task: Task, train: Split, cleaning: Cleaning, seed: int) -> Suspects | None:
    """Return training rows with probably wrong labels, None for tasks without such."""
    if not isinstance(task, Classification):
        return None
    try:
        found = find_label_errors(task, train, cleaning, MOST_SUSPECTED, seed)
    except (DataError, MissingExtra) as error:
        return Suspects(reason=str(error))
    return Suspects(tuple(found), examined=min(len(train), MOST_SUSPECTED))


def _origin(model: str | Path | Pretrained | Blueprint) -> str:
    if isinstance(model, Blueprint):
        return "from scratch"
    if isinstance(model, Pretrained):
        return "an opened model" if model.folder is None else model.folder.name
    return str(model)


def _published(model: str | Path | Pretrained | Blueprint) -> str | None:
    """Return the id of a model on the Hub, if it was opened by one and not from a folder."""
    if not isinstance(model, str) or Path(model).expanduser().exists():
        return None
    return model.partition("@")[0] if _HUB_ID.fullmatch(model) else None
