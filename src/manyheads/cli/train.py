"""`manyheads train`: from a table of labelled text to a saved predictor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manyheads.cli import options
from manyheads.cli.output import notice, show
from manyheads.errors import DataError, MissingExtra

if TYPE_CHECKING:
    from manyheads.hub.scratch import Scratch
    from manyheads.train import Evaluation, Learner

RUN = "run"
HISTORY = "history.json"


def train(
    data: options.Data,
    text: options.Text = None,
    label: options.Label = None,
    pair: options.Pair = None,
    valid: options.Valid = "0.1",
    test: options.Test = None,
    seed: options.Seed = 0,
    encoding: options.Encoding = None,
    task: options.TaskChoice = None,
    model: options.Model = options.DEFAULT_MODEL,
    layers: Annotated[int, typer.Option(help="Layers of a model from scratch.")] = 4,
    width: Annotated[int, typer.Option(help="Width of a model from scratch.")] = 256,
    heads: Annotated[int, typer.Option(help="Attention heads of a model from scratch.")] = 4,
    vocabulary: Annotated[int, typer.Option(help="Tokens that its tokenizer learns.")] = 8000,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the predictor, its pictures and the run.")
    ] = None,
    recipe: options.RecipeFile = None,
    settings: options.Settings = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that was stopped in --out.")
    ] = False,
    clean: options.Clean = None,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="Let every class weigh the same.")
    ] = False,
    label_smoothing: Annotated[
        float | None, typer.Option(help="Probability to move to the other labels.")
    ] = None,
    device: options.Device = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Train a model on labelled text, evaluate it beside a baseline, and save the predictor."""
    plan = options.recipe_of(recipe, settings)
    cleaning = options.cleaning_of(clean)
    _check_folder(out, resume)
    if resume and out is not None and (out / RUN / HISTORY).is_file():
        notice(f"the run in {out} is finished; there is nothing to resume", quiet)
        report = json.loads((out / RUN / "report.json").read_text(encoding="utf-8"))
        show((out / RUN / "report.txt").read_text(encoding="utf-8"), report, as_json)
        return

    from manyheads.data import read
    from manyheads.tasks import Balance
    from manyheads.train import Learner

    dataset = read(
        data,
        text=text,
        label=label,
        pair=pair,
        valid=options.share_or_source(valid),
        test=options.share_or_source(test),
        seed=seed,
        encoding=encoding,
    )
    notice(dataset.summary(), quiet)
    weights = Balance.INVERSE if balanced else None
    chosen = {"class_weights": weights, "label_smoothing": label_smoothing}
    learner = Learner(
        _scratch(layers, width, heads, vocabulary, plan.max_tokens)
        if model == "scratch"
        else model,
        options.task_of(task, dataset, chosen),
        dataset,
        plan,
        cleaning=cleaning,
        folder=None if out is None else out / RUN,
        device=device,
        quiet=quiet,
    )
    learner.fit(resume=resume)
    evaluation = learner.evaluate() if dataset.test or dataset.valid else None
    if out is None:
        notice("nothing was saved; give --out DIR to keep the predictor", quiet)
    else:
        _save(learner, evaluation, out, quiet)
    document = {"out": out, "evaluation": None if evaluation is None else evaluation.to_json()}
    show(evaluation or "There is no validation or test split to evaluate on.", document, as_json)


def _check_folder(out: Path | None, resume: bool) -> None:
    """Refuse to write into a folder that is somebody else's, before any work is done."""
    if resume and out is None:
        raise DataError("--resume needs --out, the folder of the run that was stopped")
    if out is None or not out.exists():
        return
    ours = (out / RUN).is_dir() or (out / "manyheads.json").is_file()
    if not out.is_dir() or (any(out.iterdir()) and not ours):
        raise DataError(f"--out {out} holds something that is no run of manyheads; name another")


def _scratch(
    layers: int, width: int, heads: int, vocabulary: int, max_tokens: int | None
) -> Scratch:
    from manyheads.hub.scratch import Scratch
    from manyheads.text import BytePair

    return Scratch(
        layers=layers,
        width=width,
        heads=heads,
        max_tokens=max_tokens or 512,
        tokenizer=BytePair(vocabulary=vocabulary),
    )


def _save(learner: Learner, evaluation: Evaluation | None, out: Path, quiet: bool) -> None:
    """Write the predictor, the pictures and the record of the run; then drop its checkpoints."""
    learner.predictor().save(out)
    run = out / RUN
    run.mkdir(exist_ok=True)
    _write_json(run / "recipe.json", learner.recipe.to_json())
    if evaluation is not None:
        _write_json(run / "report.json", {"out": out, "evaluation": evaluation.to_json()})
        (run / "report.txt").write_text(f"{evaluation}\n", encoding="utf-8")
    try:
        learner.draw_history(out / "training-curve.png")
        if evaluation is not None:
            evaluation.draw(out / "confusion-matrix.png")
    except MissingExtra as error:
        notice(f"no pictures: {error}", quiet)
    # The history last: it says that the run is finished.
    _write_json(run / HISTORY, learner.history.to_json())
    learner.clear_checkpoints()
    notice(f"saved {out}", quiet)


def _write_json(path: Path, document: Any) -> None:
    text = json.dumps(document, ensure_ascii=False, indent=1, default=str)
    path.write_text(text + "\n", encoding="utf-8")
