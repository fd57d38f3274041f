"""`manyheads evaluate`: how good a saved predictor is on labelled texts or images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli import options, rows
from manyheads.cli.candidates import Candidates
from manyheads.cli.opening import busy, device_of
from manyheads.cli.output import show
from manyheads.cli.tables import require_place
from manyheads.cli.unfold import unfolded
from manyheads.errors import ConfigError, DataError

if TYPE_CHECKING:
    from manyheads.data import Dataset, Split

SplitName = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="NAME",
        help="Of a folder with several: train, valid or test; by default test, else valid.",
    ),
]

Report = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.html", help="Write a page about the errors: confusions, slices, hardest rows."
    ),
]
Slice = Annotated[
    list[str] | None,
    typer.Option(metavar="COL", help="For --report: a further column of the table to slice by."),
]


@unfolded
def evaluate(
    predictor: options.Predictor,
    labelled: rows.Labelled,
    candidates: Candidates,
    split: SplitName = None,
    report: Report = None,
    slice: Slice = None,
    device: options.Device = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Score a saved predictor on labelled texts or images, texts with targets, pairs, or text."""
    with busy("reading", quiet):
        from manyheads.cli.heads_file import ENDING
        from manyheads.predict import ImagePredictor, ManyPredictor, load, task_of
        from manyheads.train.analysis.slices import extra_columns
        from manyheads.train.progress import Reporter
        from manyheads.train.report.evaluation import as_known, judge_predictor
        from manyheads.writer import Generator

        if report is not None:
            require_place(report, "--report")
        elif slice:
            raise DataError("--slice is for the page; give --report FILE.html too")
        opened = candidates.opened(predictor, device)
        if opened is None:
            opened = load(predictor, device=device_of(device))
        if isinstance(opened, Generator):
            raise ConfigError(
                f"{predictor} is a model for {task_of(opened)}, which has no task to be scored on; "
                "train one with `manyheads train`"
            )
        if isinstance(opened, ManyPredictor) and not labelled.data.endswith(ENDING):
            raise DataError(
                f"{labelled.data}: these rows do not say which head they are for; {predictor} has "
                f"several, so give a heads file ({ENDING}) that names the data of each"
            )
        nothing = rows.HeldOut(valid="0", test="0")  # not even what a heads file says for training
        dataset = labelled.read(nothing, images=isinstance(opened, ImagePredictor))
        chosen = as_known(opened.task, _split(dataset, split))
        columns = extra_columns(chosen, slice or ())
        opened.task.check(chosen.columns, chosen.describe)
        opened.task.rehearsal(chosen.columns)  # what it takes is missing before the work, not after
    judgement, evaluation = judge_predictor(opened, chosen, Reporter(quiet))
    if report is not None:
        from manyheads.train.analysis.analysis import analyse
        from manyheads.train.report.page import write_evaluation_page

        analysis = analyse(opened.task, judgement, chosen, columns)
        write_evaluation_page(evaluation, analysis, report)
    show(evaluation, evaluation.to_json(), as_json)


def _split(dataset: Dataset, name: str | None) -> Split:
    """Return the split that is asked for; a table without splits is one to test on."""
    splits = {split.name: split for split in dataset.splits()}
    if name is None:
        name = next(one for one in ("test", "valid", "train") if one in splits)
    if name not in splits:
        raise DataError(f"there is no split {name!r}; there is {', '.join(splits)}")
    chosen = splits[name]
    return replace(chosen, name="test") if len(splits) == 1 else chosen
