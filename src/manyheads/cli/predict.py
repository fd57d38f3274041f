"""`manyheads predict`: what a saved predictor says of texts or images, a table, or stdin."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from manyheads.cli import options, tables
from manyheads.cli.candidates import Candidates
from manyheads.cli.opening import opened_as
from manyheads.cli.output import notice, show
from manyheads.cli.predict_heads import documents_of, rows_of, shown, with_heads
from manyheads.cli.unfold import unfolded
from manyheads.errors import DataError

if TYPE_CHECKING:
    from manyheads.predict import (
        Answer,
        Answerer,
        ImagePredictor,
        ManyPredictor,
        Predictor,
        Tagger,
        ZeroShot,
    )

_SHOWN = 100  # characters of a text
_MANY = 100  # texts from which on progress is worth a line

Ask = Callable[..., "list[Answer]"]
Found = TypeVar("Found")

Texts = Annotated[
    list[str] | None,
    typer.Argument(metavar="TEXT", help="Texts or image files; without any, lines of stdin."),
]
File = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="A table with a column of texts or image files; - for JSON Lines."
    ),
]
Text = Annotated[
    str | None,
    typer.Option(metavar="COL", help="Its column of texts or files, if not 'text' or 'image'."),
]
Pair = Annotated[str | None, typer.Option(metavar="COL", help="Its column of second texts.")]
Context = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="The text that answers all questions; without a table."),
]
Out = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Where to write all columns of the table with prediction, probability and truncated "
        "(tokens that the model did not see) behind: .csv, .tsv, .jsonl, .parquet; - for JSON "
        "Lines on stdout.",
    ),
]


@unfolded
def predict(
    predictor: options.Predictor,
    candidates: Candidates,
    texts: Texts = None,
    file: File = None,
    text: Text = None,
    pair: Pair = None,
    context: Context = None,
    out: Out = None,
    encoding: options.Encoding = None,
    device: options.Device = None,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Classify, value or tag texts, answer questions, or classify images, with a saved predictor.

    \b
    Examples:
      manyheads predict reviews-model "Worked within a day." "Never again."
      manyheads predict names-model "Angela Merkel met him in Berlin."
      manyheads predict heads-model "Angela Merkel met him in Berlin."
      manyheads predict reviews-model < texts.txt
      manyheads predict reviews-model --file new.parquet --text review --out answers.csv
      manyheads predict photos-model new/*.jpg --json
      manyheads predict answers-model "Who met him?" --context "Angela Merkel met him."
      manyheads predict answers-model --file asked.csv --text question --pair context
      manyheads predict MODEL "The striker scored twice." --candidate sport --candidate politics
      cat new.jsonl | manyheads predict reviews-model --file - --out - | head
    """
    if texts and file is not None:
        raise DataError("texts and --file are both given; give one of them")
    if pair is not None and file is None:
        raise DataError("--pair names a column; it needs --file")
    if context is not None and file is not None:
        raise DataError("--context is for questions without a table; name its column: --pair COL")
    if out is not None:
        tables.require_writable(out)
        if as_json and out == tables.PIPE:
            raise DataError(f"--out {out} and --json both write to stdout; choose one of them")
    columns, first, second, words = _inputs(texts, file, text, pair, encoding, quiet)
    if context is not None:
        second = [context] * len(first)
    from manyheads.predict import Answerer, ImagePredictor, ManyPredictor, Predictor, Tagger
    from manyheads.predict.spelled import answer_to_json

    otherwise = "says no labels, tags or numbers; use `manyheads fill-mask` or `manyheads generate`"
    kinds = Predictor | Tagger | Answerer | ImagePredictor | ManyPredictor
    opened = candidates.opened(predictor, device) or opened_as(kinds, predictor, device, otherwise)
    if words is not None and not isinstance(opened, Tagger):
        raise DataError(f"{file}: holds lists of words, and this model reads texts; join them")
    if isinstance(opened, ManyPredictor):
        _ask_heads(opened, columns, first, second, out, quiet=quiet, as_json=as_json)
        return
    noun = "image" if isinstance(opened, ImagePredictor) else "text"
    asked = words or first
    if out is not None and asked:  # no long work whose results could not be kept
        one = _asking(opened, asked[:1], second and second[:1], file)()
        _with_answers(columns, one, opened)
    answers = _answers(_asking(opened, asked, second, file), len(first), quiet)
    cut = sum(1 for answer in answers if answer.truncated)
    if cut:
        notice(f"{cut:,} of {len(answers):,} texts were longer than the model reads", quiet)
    if out is None:
        documents = [
            {noun: one, **answer_to_json(a)} for one, a in zip(first, answers, strict=True)
        ]
        lines = [_line(document, document[noun]) for document in documents]
        show("\n".join(lines), {"predictions": documents}, as_json)
        return
    tables.write_any(_with_answers(columns, answers, opened), out)
    if out != tables.PIPE:
        document = {"out": out, "rows": len(answers), "truncated": cut}
        show(f"{len(answers):,} predictions in {out}", document, as_json)


def _ask_heads(
    opened: ManyPredictor,
    columns: tables.Columns,
    first: list[str],
    second: list[str] | None,
    out: str | None,
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """Let many heads answer, and show or write what they say."""
    asked = partial(opened.answers, first, second)
    from manyheads.predict.spelled import answer_to_json

    if out is not None and first:  # no long work whose results could not be kept
        one = opened.answers(first[:1], second and second[:1])
        with_heads(columns, rows_of(one, answer_to_json))
    rows = rows_of(_answers(asked, len(first), quiet), answer_to_json)
    if out is None:
        documents = documents_of(rows, first)
        show(shown(documents, _said), {"predictions": documents}, as_json)
        return
    tables.write_any(with_heads(columns, rows), out)
    if out != tables.PIPE:
        said = f"{len(first):,} predictions of {len(rows)} heads in {out}"
        show(said, {"out": out, "rows": len(first), "heads": list(rows)}, as_json)


def _inputs(
    texts: Sequence[str] | None,
    file: str | None,
    text: str | None,
    pair: str | None,
    encoding: str | None,
    quiet: bool,
) -> tuple[tables.Columns, list[str], list[str] | None, list[list[str]] | None]:
    """Return the columns of the input, its texts, and its second texts where there are any.

    And the words of the texts, where the input has lists of them.
    """
    if file is None:
        if not texts and sys.stdin.isatty():
            notice("reading texts from the keyboard, one per line; Ctrl-D ends them", quiet)
        lines = list(texts) if texts else tables.read_lines()
        return {"text": lines}, lines, None, None
    table = tables.read_any(file, encoding, (text, pair))
    if text is None and pair is None:
        from manyheads.data import usual_pair

        if {"question", "context"} <= table.columns.keys():
            text, pair = "question", "context"
        elif sides := usual_pair(list(table.columns)):
            text, pair = sides["text"], sides["pair"]
    words = None if pair else tables.words_of(table, text)
    if words is not None:
        from manyheads.text.tagged import join_words

        return table.columns, [join_words(one)[0] for one in words], None, words
    second = None if pair is None else tables.texts_of(table, pair)
    return table.columns, tables.texts_of(table, text), second, None


def _asking(
    opened: Predictor | Tagger | Answerer | ImagePredictor | ZeroShot,
    first: Sequence[Any],
    second: list[str] | None,
    file: str | None,
) -> Ask:
    """Return what asks for the answers; images lie where their table does."""
    from manyheads.predict import ImagePredictor, Tagger

    if second is not None and isinstance(opened, Tagger | ImagePredictor):
        raise DataError("--pair names a column of texts; this model reads no pairs")
    if isinstance(opened, ImagePredictor):
        folder = Path(file).parent if file not in (None, tables.PIPE) else Path()
        return partial(opened.answers, [folder / name for name in first])
    if isinstance(opened, Tagger):
        return partial(opened.answers, first)
    return partial(opened.answers, first, second)


def _answers(ask: Callable[..., Found], count: int, quiet: bool) -> Found:
    if count < _MANY:
        return ask()
    from manyheads.train.progress import Reporter

    with Reporter(quiet).rows("predicting", count) as advance:
        return ask(progress=advance)


def _with_answers(
    columns: tables.Columns, answers: Sequence[Answer], opened: Any
) -> tables.Columns:
    """Return a table with the answers behind; raises `DataError` where it has such columns."""
    from manyheads.predict.spelled import answer_to_json

    calibration = getattr(opened.task, "calibration", None)
    decides = calibration is not None and calibration.precision is not None
    left_out = {"probabilities"} if decides else {"probabilities", "is_sure"}
    rows = [answer_to_json(answer) for answer in answers]
    names = [name for name in (rows[0] if rows else {}) if name not in left_out]
    tables.require_free(columns, *names)
    return {**columns, **{name: [row[name] for row in rows] for name in names}}


def _spelled(one: str | dict[str, Any]) -> str:
    return one if isinstance(one, str) else f"{one['label']} {one['text']}"


def _line(document: dict[str, Any], asked: str) -> str:
    """Return one prediction for a person, with what was asked."""
    text = " ".join(asked.split())
    shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return "\t".join([*_said(document), shown])


def _said(document: dict[str, Any]) -> list[str]:
    """Return one prediction for a person, and its probability where it has one."""
    answer, share = document["prediction"], document.get("probability")
    if isinstance(answer, list):
        answer = ", ".join(map(_spelled, answer)) or "(none)"
    if answer == "":
        answer = "(no answer)"
    if isinstance(answer, float):
        answer = f"{answer:.4g}"
    if not document.get("is_sure", True):
        answer = f"not sure ({answer})"
    return [" ".join(answer.split()), *([f"{share:.3f}"] if isinstance(share, float) else [])]
