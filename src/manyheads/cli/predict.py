"""`manyheads predict`: what a saved predictor says of texts, a file or standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manyheads.cli import options
from manyheads.cli.output import notice, show, write_table
from manyheads.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from manyheads.predict import Predictor

_SHOWN = 100


def predict(
    model: Path,
    texts: Annotated[list[str] | None, typer.Argument(help="Texts; none: lines of stdin.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="A table with a column of texts, of any format.")
    ] = None,
    text: Annotated[str, typer.Option(help="Its column of texts.")] = "text",
    pair: options.Pair = None,
    out: Annotated[
        Path | None, typer.Option(help="Write all columns and the predictions to this table.")
    ] = None,
    encoding: options.Encoding = None,
    device: options.Device = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Predict by the model in the folder MODEL, or any published classifier."""
    from manyheads.predict import load

    if texts and file is not None:
        raise DataError("texts and --file are both given; give one of them")
    columns, seconds = _columns(texts, file, text, pair, encoding)
    predictor = load(model, device=device or "cpu")
    rows = _predictions(predictor, columns[text], seconds, quiet)
    if out is not None:
        answers = {name: [row.get(name) for row in rows] for name in _names(rows)}
        write_table({**columns, **answers}, out)
        notice(f"wrote {len(rows):,} predictions to {out}", quiet)
        return
    lines = (_line(row, one) for row, one in zip(rows, columns[text], strict=True))
    documents = [{"text": one, **row} for row, one in zip(rows, columns[text], strict=True)]
    show("\n".join(lines), documents, as_json)


def _columns(
    texts: list[str] | None, file: Path | None, text: str, pair: str | None, encoding: str | None
) -> tuple[dict[str, list[Any]], list[str] | None]:
    """Return the columns of the input, and the second texts where there are any."""
    if file is None:
        if pair is not None:
            raise DataError("--pair names a column; it needs --file")
        lines = texts if texts else [line.rstrip("\n") for line in sys.stdin]
        return {text: lines}, None
    from manyheads.data.table import read_table

    table = read_table(file, encoding=encoding)
    for name in (text, pair):
        if name is not None and name not in table.columns:
            known = list(table.columns)
            raise DataError(
                f"{file} has no column {name!r}.{did_you_mean(name, known)} "
                f"It has {', '.join(known)}"
            )
    columns = {name: list(values) for name, values in table.columns.items()}
    for row, value in enumerate(columns[text]):
        if not isinstance(value, str):
            place = f"{file}, {table.unit} {table.rows[row]}"
            raise DataError(f"{place}: {text}={value!r} is no text; correct it or remove the row")
    return columns, None if pair is None else columns[pair]


def _predictions(
    predictor: Predictor, texts: list[str], pairs: list[str] | None, quiet: bool
) -> list[dict[str, Any]]:
    """Return a row of plain values for each text."""
    from dataclasses import asdict

    from manyheads.train.progress import Reporter

    if not texts:
        return []
    with Reporter(quiet).rows("predicting", len(texts)) as advance:
        answers = predictor.answers(texts, pairs, advance)
    rows = [{**asdict(one.prediction), "truncated_tokens": one.truncated} for one in answers]
    cut = sum(1 for row in rows if row["truncated_tokens"])
    if cut:
        notice(f"{cut:,} of {len(rows):,} texts were longer than the model reads, and cut", quiet)
    return rows


def _names(rows: list[dict[str, Any]]) -> list[str]:
    """Return the columns of a table of predictions: all but the probabilities of every label."""
    return [name for name in (rows[0] if rows else {}) if name != "probabilities"]


def _line(row: dict[str, Any], text: str) -> str:
    """Return one prediction for a person."""
    answer = row.get("label", row.get("value", row.get("labels")))
    if isinstance(answer, list | tuple):
        answer = ", ".join(answer) or "(none)"
    if isinstance(answer, float):
        answer = f"{answer:.4g}"
    share = f"{row['probability']:.3f}\t" if "probability" in row else ""
    shown = " ".join(text.split())
    return f"{answer}\t{share}{shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + '…'}"
