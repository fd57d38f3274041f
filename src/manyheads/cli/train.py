"""`manyheads train`: from texts or images to a folder with a predictor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manyheads.cli import learning, options, rows
from manyheads.cli.facts import facts_of
from manyheads.cli.opening import busy
from manyheads.cli.output import notice, show
from manyheads.cli.repeat import Run, as_it_was, comparison
from manyheads.cli.run_folder import Progress, RunFolder, located
from manyheads.cli.track import Track, trackers_of
from manyheads.cli.trials import Repeats, Several
from manyheads.cli.unfold import unfolded
from manyheads.errors import ConfigError, DataError

if TYPE_CHECKING:
    from manyheads.cli.heads_file import HeadsData
    from manyheads.data import Dataset
    from manyheads.train import Evaluation, Learner, Tracker

Out = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder for the predictor, its pictures and the run; nothing is kept without it.",
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the run in --out that was stopped.")
]
Plan = Annotated[
    bool,
    typer.Option("--plan", help="Only say how much memory training would take, and by what."),
]
Estimate = Annotated[
    bool, typer.Option("--estimate", help="Say how long it would take, and train nothing.")
]


@dataclass(frozen=True)
class Learnt(rows.Labelled):
    """Labelled data, which a run that is repeated knows by itself."""

    data: options.Data = ""


@unfolded
def train(
    labelled: Learnt,
    held_out: rows.HeldOut,
    setup: learning.Setup,
    repeats: Repeats,
    out: Out = None,
    resume: Resume = False,
    run: Run = None,
    plan: Plan = False,
    track: Track = None,
    estimate: Estimate = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Train a model on labelled texts or images, texts with targets, pairs, or text; save it.

    \b
    Examples:
      manyheads train reviews.csv --text review --label rating --out reviews-model
      manyheads train few.csv --few-shot --test more.csv --out topics-model
      manyheads train mails/ --clean html --recipe recipe.toml --set epochs=5 --out mails-model
      manyheads train news.jsonl --label topics --model scratch --layers 4 --width 256 --out news
      manyheads train pairs/ --text en --target de --task translation --language de --out en-de
      manyheads train faq.csv --task embedding --text question --pair answer --out search
      manyheads train asked.csv --task reranking --text query --pair document --label relevant
      manyheads train heads.toml --out heads-model
      manyheads train photos/ --augment shift --augment flip --set epochs=30 --out photos-model
      manyheads train book.txt --task language-model --set max_tokens=128 --out writer
      manyheads train reviews.csv --text review --label rating --folds 5 --test 0.2 --out reviews
      manyheads train --from reviews-model --out once-more

    DIR also gets report.html (scores, errors, what to mend in the data), README.md (a model card),
    training-curve.png, confusion-matrix.png, and run/ with the recipe, the report, every step, and
    the checkpoints until training is over. A run that was stopped goes on with the
    same command and --resume.
    """
    inspect = None
    if run is not None:
        groups = as_it_was(run, (labelled, held_out, setup, repeats), out)
        labelled, held_out, setup, repeats = groups
        inspect = comparison(run, quiet)
    elif not labelled.data:
        raise DataError("there is nothing to learn from; name DATA, or a run to repeat by --from")
    if plan and estimate:
        raise ConfigError("--plan and --estimate say two things; ask for one after the other")
    # What is wrong with where it is to go is said before anything is read.
    are_several = repeats.are_wanted
    folder = None if plan else _folder(out, resume)
    trackers = trackers_of(track or (), kept=out is not None)
    dataset = _dataset(labelled, held_out, setup, repeats, quiet, inspect)
    if plan:
        with busy("reading", quiet):
            planned = setup.learner(dataset, quiet=quiet).plan()
        show(planned, planned.to_json(), as_json)
    elif estimate:
        with busy("measuring", quiet):
            learner = setup.learner(dataset, quiet=quiet)
            learner.rehearse()
            found = learner.estimate()
        show(f"{found}{repeats}", found.to_json() | {"runs": repeats.count}, as_json)
    else:
        arguments = asdict(labelled) | asdict(held_out) | setup.arguments() | asdict(repeats)
        arguments = located(arguments)
        if are_several:
            several = Several(setup, repeats, dataset, folder, trackers, quiet)
            several.train(arguments, resume=resume, as_json=as_json)
        else:
            _train_once(setup, dataset, folder, arguments, resume, trackers, quiet, as_json)


def _folder(out: Path | None, resume: bool) -> RunFolder | None:
    """Return where the run is kept; raises `DataError` for a folder of something else."""
    if out is None:
        if resume:
            raise DataError("--resume needs --out, the folder of the run that was stopped")
        return None
    folder = RunFolder(out)
    folder.require_ours()
    return folder


def _dataset(
    labelled: rows.Labelled,
    held_out: rows.HeldOut,
    setup: learning.Setup,
    repeats: Repeats,
    quiet: bool,
    inspect: Callable[[Dataset], None] | None,
) -> Dataset | HeadsData:
    """Return what is learnt from; `inspect` is shown it before a model is opened."""
    from manyheads.cli.heads_file import HeadsData

    with busy("reading", quiet):
        dataset = setup.read(labelled, held_out)
        if inspect is not None:
            inspect(dataset)
    if isinstance(dataset, HeadsData) and repeats.are_wanted:
        raise DataError(
            "--folds and --seeds deal out the rows of one table; leave them out for heads"
        )
    return dataset


def _train_once(
    setup: learning.Setup,
    dataset: Dataset | HeadsData,
    folder: RunFolder | None,
    arguments: dict[str, Any],
    resume: bool,
    trackers: Sequence[Tracker],
    quiet: bool,
    as_json: bool,
) -> None:
    """Train one model, and save it where there is a folder."""
    from manyheads.cli.heads_file import HeadsData

    if isinstance(dataset, HeadsData):
        arguments["lessons"] = dataset.arguments()
    with busy("reading", quiet):
        runs_in = None if folder is None else folder.run
        learner = setup.learner(dataset, folder=runs_in, quiet=quiet, trackers=trackers)
        learner.rehearse()
    if folder is not None and resume:
        resume = folder.can_resume(arguments, learner.recipe.to_json(), facts_of(dataset))
        if folder.progress is Progress.FINISHED:
            _show_finished(folder, as_json)
            return
    # Only now, so that whatever is wrong with data and model is the only line on stderr.
    notice(dataset.summary(), quiet)
    if folder is None:
        learner.fit()
        evaluation = _evaluate(learner)
        notice("nothing was saved; give --out DIR to keep the predictor", quiet)
    else:
        evaluation = _fit_into(folder, learner, None if resume else arguments)
        notice(f"saved in {folder.out}", quiet)
    out = None if folder is None else folder.out
    show(evaluation or "", _document(out, learner, evaluation), as_json)


def _fit_into(
    folder: RunFolder, learner: Learner, arguments: dict[str, Any] | None
) -> Evaluation | None:
    """Train from the start as `arguments` say, or go on where there are none; save everything."""
    from manyheads.train.report.files import write_report

    with folder.guarded():
        if arguments is not None:
            folder.begin(arguments, learner.recipe.to_json(), facts_of(learner.data))
        learner.fit(resume=arguments is None)
        learner.predictor().save(folder.out)
        _can_be_evaluated(learner)
        report = learner.report()
        write_report(report, folder.out, notice)
        folder.finish(learner, report.evaluation)
    return report.evaluation


def _show_finished(folder: RunFolder, as_json: bool) -> None:
    notice(f"the run in {folder.out} is finished; there is nothing left to do")
    folder.tidy()
    show(folder.report(), {"out": str(folder.out), "evaluation": folder.document()}, as_json)


def _evaluate(learner: Learner) -> Evaluation | None:
    """Return the evaluation on the test split, else the validation split, if there is either."""
    return learner.evaluate() if _can_be_evaluated(learner) else None


def _can_be_evaluated(learner: Learner) -> bool:
    if learner.data.test is None and learner.data.valid is None:
        notice("no rows are held out to evaluate the model on; hold some out with --valid 0.1")
        return False
    return True


def _document(out: Path | None, learner: Learner, evaluation: Evaluation | None) -> dict[str, Any]:
    return {
        "out": None if out is None else str(out),
        "labels": learner.task.to_json().get("labels", []),
        "steps": len(learner.history.steps),
        "tokens": learner.history.tokens,
        "evaluation": None if evaluation is None else evaluation.to_json(),
    }
