"""`manyheads train --folds` and `--seeds`: the same recipe several times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manyheads.cli import learning
from manyheads.cli.facts import facts_of
from manyheads.cli.kinds import usual_kind
from manyheads.cli.opening import device_of
from manyheads.cli.output import notice, show
from manyheads.cli.run_folder import Progress, RunFolder
from manyheads.errors import RecipeError

if TYPE_CHECKING:
    from pathlib import Path

    from manyheads.data import Dataset
    from manyheads.train import Recipe, Tracker, Trials


@dataclass(frozen=True)
class Repeats:
    """How often a recipe is trained by: once, where nothing is given."""

    folds: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help="Cross-validate: K models, each judged by the rows of a fold that it has not "
            "seen; saved with their ensemble.",
        ),
    ] = None
    seeds: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Train from N seeds, judge all, and save them with their ensemble."
        ),
    ] = None

    @property
    def are_wanted(self) -> bool:
        """Whether there is to be more than one run.

        Raises `RecipeError` for both kinds, and for a single one of a kind.
        """
        if self.folds is not None and self.seeds is not None:
            raise RecipeError("--folds and --seeds are two ways to train several times; choose one")
        if self.folds is not None and self.folds < 2:
            raise RecipeError(f"folds={self.folds} holds nothing out; choose at least 2")
        if self.seeds is not None and self.seeds < 2:
            raise RecipeError(f"seeds={self.seeds} says nothing of chance; choose at least 2")
        return self.folds is not None or self.seeds is not None

    @property
    def count(self) -> int:
        """How many runs there are to be."""
        return self.folds or self.seeds or 1

    def __str__(self) -> str:
        return f", each of {self.count} runs" if self.are_wanted else ""


@dataclass(frozen=True)
class Several:
    """Runs of one recipe as they are asked for."""

    setup: learning.Setup
    repeats: Repeats
    data: Dataset
    folder: RunFolder | None
    trackers: Sequence[Tracker]
    quiet: bool

    def train(self, arguments: dict[str, Any], *, resume: bool, as_json: bool) -> None:
        """Train, or go on with what was begun, and show what came of it."""
        folder, recipe = self.folder, self.setup.chosen_recipe()
        if folder is None:
            trials = self._trials(recipe, None, resume=False)
            notice("nothing was saved; give --out DIR to keep the models", self.quiet)
            _show(trials, None, trials.to_json(), as_json)
            return
        facts = facts_of(self.data)
        resume = resume and folder.can_resume(arguments, recipe.to_json(), facts)
        if resume and folder.progress is Progress.FINISHED:
            notice(f"the runs in {folder.out} are finished; there is nothing left to do")
            _show(folder.report(), folder, folder.document(), as_json)
            return
        with folder.guarded():
            if not resume:
                folder.begin(arguments, recipe.to_json(), facts, has_parts=True)
            trials = self._trials(recipe, folder.out, resume)
            folder.conclude(trials)
        notice(f"saved in {folder.out}", self.quiet)
        _show(trials, folder, trials.to_json(), as_json)

    def _trials(self, recipe: Recipe, out: Path | None, resume: bool) -> Trials:
        from manyheads.train import cross_validate, repeat_seeds

        setup, kind, repeats = self.setup, self.setup.task or usual_kind(self.data), self.repeats
        model, task = setup.chosen_model(recipe, kind), setup.chosen_task(self.data, kind)
        run = partial(
            repeat_seeds if repeats.folds is None else cross_validate,
            *(model, task, self.data, recipe),
            cleaning=setup.chosen_cleaning(),
            folder=out,
            device=device_of(setup.device),
            quiet=self.quiet,
            resume=resume,
            trackers=self.trackers,
        )
        notice(self.data.summary(), self.quiet)
        if repeats.folds is not None:
            return run(folds=repeats.folds)
        return run(seeds=repeats.seeds)


def _show(text: object, folder: RunFolder | None, document: dict[str, Any], as_json: bool) -> None:
    show(text, {"out": None if folder is None else str(folder.out), **document}, as_json)
