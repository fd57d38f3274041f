"""The sections of a page that say how good a model is on a split, and where it errs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from manyheads.data.dataset import shorten
from manyheads.pages import markup
from manyheads.tasks.metrics import ClassificationScores, LabelScores, Scores
from manyheads.train.analysis.analysis import Analysis, Confusion, bounds
from manyheads.train.analysis.hard_rows import HardRow
from manyheads.train.readable import readable
from manyheads.train.report.evaluation import Evaluation

_TEXT, _LABEL = 300, 120  # characters that are shown
_MOST_LABELS, _MOST_SLICES = 100, 60
_WIDEST_MATRIX = 12  # labels of a confusion matrix that is written as a table


def evaluation_section(evaluation: Evaluation) -> markup.Markup:
    """Return the scores on a split, those of the baseline beside them."""
    name, other = evaluation.baseline_name, evaluation.baseline
    header = ["score", "this model", *(["interval"] if _has_intervals(evaluation.scores) else [])]
    if other is not None:
        header += [name, *(["interval"] if _has_intervals(other) else [])]
    rows = []
    for metric in evaluation.scores.numbers():
        row = [metric.replace("_", " "), *_score(evaluation.scores, metric)]
        rows.append(row if other is None else [*row, *_score(other, metric)])
    said = f"{evaluation.split}: {evaluation.rows:,} rows of {evaluation.source}"
    return markup.section(
        "Evaluation",
        markup.table(f"Scores on {said}", header, rows),
        markup.paragraph(
            f"Mean loss: {readable(evaluation.loss)}. Intervals hold the score at 95%."
        ),
    )


def label_sections(evaluation: Evaluation, picture: bytes | None) -> Iterator[markup.Markup]:
    """Yield the confusion matrix and the scores of each label, where there are such."""
    scores = evaluation.scores
    if isinstance(scores, ClassificationScores):
        parts = []
        if picture is not None:
            alt = (
                f"Confusion matrix of {len(scores.labels)} labels on {evaluation.split}: accuracy "
                f"{scores.accuracy:.3f}; the table of labels below has the recall of each."
            )
            parts.append(markup.picture(picture, alt))
        if len(scores.labels) <= _WIDEST_MATRIX:
            made = _matrix(scores)
            parts.append(made if picture is None else markup.folded("As a table", made))
        if parts:
            yield markup.section("Confusion matrix", *parts)
    labels: Sequence[LabelScores] = getattr(scores, "per_label", ())
    if labels:
        yield markup.section("Labels", _labels_table(labels, scores.counted))


def analysis_sections(analysis: Analysis) -> Iterator[markup.Markup]:
    """Yield slices, confusions and the hardest rows."""
    if analysis.slices:
        yield _slices_section(analysis)
    if analysis.confusions:
        parts = [_confusion(one) for one in analysis.confusions]
        yield markup.section(
            "Confused most often",
            markup.paragraph("Each with its hardest examples, the hardest first."),
            *parts,
        )
    yield markup.section(
        "Hardest rows",
        markup.paragraph("The rows of the highest loss. Often it is the label that is wrong."),
        _rows_table("Rows with the highest loss", analysis.hardest),
    )


def shown_text(text: object) -> str:
    """Return the beginning of a text, on one line."""
    return shorten(text, _TEXT)


def _has_intervals(scores: Scores) -> bool:
    return any(getattr(scores, f"{name}_interval", None) for name in scores.numbers())


def _score(scores: Scores, metric: str) -> list[str]:
    """Return the cells of a score, and of its interval where any score here has one."""
    numbers = scores.numbers()
    cells = [readable(numbers[metric]) if metric in numbers else "–"]
    if _has_intervals(scores):
        interval = getattr(scores, f"{metric}_interval", None)
        cells.append("" if interval is None else bounds(interval))
    return cells


def _matrix(scores: ClassificationScores) -> markup.Markup:
    names = [shorten(label, _LABEL) for label in scores.labels]
    rows = [
        [name, *(f"{count:,}" for count in counts)]
        for name, counts in zip(names, scores.confusion, strict=True)
    ]
    caption = "Rows by expected label, counted by predicted label"
    return markup.table(caption, ["expected", *names], rows)


def _labels_table(labels: Sequence[LabelScores], counted: str) -> markup.Markup:
    worst = sorted(labels, key=lambda one: (one.f1, -one.support))
    rows = [
        [
            shorten(one.label, _LABEL),
            *(f"{value:.3f}" for value in (one.precision, one.recall, one.f1)),
            f"{one.support:,}",
        ]
        for one in worst[:_MOST_LABELS]
    ]
    caption = "Scores of each label, the lowest F1 first"
    if len(worst) > _MOST_LABELS:
        caption += f" ({_MOST_LABELS} of {len(worst):,})"
    return markup.table(caption, ["label", "precision", "recall", "F1", counted], rows)


def _slices_section(analysis: Analysis) -> markup.Markup:
    rows = [
        [
            one.kind,
            shorten(one.value, _LABEL),
            markup.element("span", "worse beyond chance", of="bad") if one.is_worse else "",
            f"{one.rows:,}",
            readable(one.score),
            bounds(one.interval),
        ]
        for one in analysis.slices[:_MOST_SLICES]
    ]
    better = "higher" if analysis.higher_is_better else "lower"
    caption = (
        f"{analysis.metric} ({better} is better) by slice; over all {readable(analysis.score)} "
        f"({bounds(analysis.interval)})"
    )
    if len(analysis.slices) > _MOST_SLICES:
        caption += f"; {_MOST_SLICES} of {len(analysis.slices):,} slices"
    header = ["by", "value", "", "rows", analysis.metric, "95% interval"]
    return markup.section(
        "Slices",
        markup.paragraph(
            f"Counted over {analysis.coverage}. “Worse beyond chance” holds for all slices "
            "together: an interval corrected for their number lies on the wrong side."
        ),
        markup.table(caption, header, rows, words=3),
    )


def _confusion(confusion: Confusion) -> markup.Markup:
    expected, predicted = (
        shorten(label, _LABEL) for label in (confusion.expected, confusion.predicted)
    )
    summary = f"{expected} → {predicted}: {confusion.count:,}"
    return markup.folded(summary, _rows_table(f"Examples of {summary}", confusion.examples))


def _rows_table(caption: str, rows: Sequence[HardRow]) -> markup.Markup:
    cells = [
        [
            shown_text(row.text),
            shorten(row.label, _TEXT),
            "–" if row.prediction is None else shorten(row.prediction, _TEXT),
            shorten(row.where, _LABEL),
            f"{row.loss:.3f}",
        ]
        for row in rows
    ]
    return markup.table(caption, ["text", "expected", "predicted", "where", "loss"], cells, words=4)
