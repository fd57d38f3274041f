"""`manyheads evaluate`: score a saved predictor on labelled text."""

from __future__ import annotations

from pathlib import Path

from manyheads.cli import options
from manyheads.cli.output import show


def evaluate(
    model: Path,
    data: options.Data,
    text: options.Text = None,
    label: options.Label = None,
    pair: options.Pair = None,
    encoding: options.Encoding = None,
    device: options.Device = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Score the predictor in the folder MODEL on DATA (its test split, if it has one)."""
    from manyheads.data import read
    from manyheads.predict import load
    from manyheads.train.progress import Reporter
    from manyheads.train.report import evaluate_predictor

    dataset = read(data, text=text, label=label, pair=pair, valid=0, encoding=encoding)
    predictor = load(model, device=device or "cpu")
    evaluation = evaluate_predictor(predictor, dataset.test or dataset.train, Reporter(quiet))
    show(evaluation, evaluation.to_json(), as_json)
