"""One page about a run: what was trained on what, how good it is, and where it errs.

The page is one file of HTML without scripts; its pictures are within it. How much of it there is
does not grow with the data: tables end after so many rows, texts after so many characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from manyheads._version import __version__
from manyheads.data import Finding, Severity
from manyheads.data.dataset import shorten
from manyheads.errors import MissingExtra
from manyheads.hub.atomic import write_atomically
from manyheads.pages import markup
from manyheads.train.analysis.analysis import Analysis
from manyheads.train.analysis.label_errors import LabelError
from manyheads.train.readable import readable
from manyheads.train.report.evaluation import Evaluation
from manyheads.train.report.page_errors import (
    analysis_sections,
    evaluation_section,
    label_sections,
    shown_text,
)
from manyheads.train.report.run_report import (
    CONFUSION,
    CURVE,
    MOST_CHECKED,
    RunReport,
    Suspects,
    changed_settings,
)

_MOST_VALIDATIONS, _MOST_SUSPECTS, _MOST_FINDINGS = 50, 50, 60


def write_page(report: RunReport, path: Path) -> Path:
    """Write the page of a run."""
    return _write(run_page(report), path)


def write_evaluation_page(evaluation: Evaluation, analysis: Analysis, path: Path) -> Path:
    """Write a page about a model of which nothing but its errors is known."""
    sections = [
        evaluation_section(evaluation),
        *label_sections(evaluation, None),
        *analysis_sections(analysis),
        markup.section("Truncation", markup.paragraph(evaluation.truncated)),
    ]
    lead = f"{evaluation.rows:,} rows of {evaluation.source} · manyheads {__version__}"
    return _write(markup.page("Evaluation", lead, sections), path)


def run_page(report: RunReport) -> str:
    """Return the page of a run."""
    title = f"{report.task.name.capitalize()}: {Path(report.data.train.source).name}"
    lead = f"{report.model.origin} · {report.model.family} · manyheads {__version__}"
    return markup.page(title, lead, _sections(report))


def _write(text: str, path: Path) -> Path:
    write_atomically(path, text.encode("utf-8"))
    return path


def _sections(report: RunReport) -> Iterator[markup.Markup]:
    try:
        pictures, note = report.pictures(), ""
    except MissingExtra as missing:
        pictures, note = {}, f"There are no pictures: {missing}."
    yield _summary(report, note)
    if report.evaluation is not None:
        yield evaluation_section(report.evaluation)
    if report.history.steps:
        yield _training(report, pictures.get(CURVE))
    if report.evaluation is not None:
        yield from label_sections(report.evaluation, pictures.get(CONFUSION))
    if report.analysis is not None:
        yield from analysis_sections(report.analysis)
    if report.suspects is not None:
        yield _suspects(report.suspects)
    yield _data(report)
    yield _recipe(report)


def _summary(report: RunReport, note: str) -> markup.Markup:
    model, history = report.model, report.history
    pairs: list[tuple[str, object]] = []
    if report.evaluation is not None:
        pairs += _main_score(report.evaluation, report.metric)
    pairs += [
        ("model", model.origin),
        ("parameters", f"{model.parameters:,}"),
        ("layers × width", f"{model.layers} × {model.width}"),
        ("heads", model.heads),
        ("vocabulary", f"{model.vocabulary:,}"),
        ("device", model.device),
        ("updates", f"{len(history.steps):,}"),
        ("tokens learnt from", f"{history.tokens:,}"),
        ("time of updates", duration(report.seconds)),
    ]
    if report.seconds:
        pairs.append(("tokens per second", f"{history.tokens / report.seconds:,.0f}"))
    parts: list[object] = [markup.facts(pairs)]
    if report.evaluation is None:
        parts.append(markup.paragraph("No rows were held out, so the model was not evaluated."))
    return markup.section("Summary", *parts, *([markup.paragraph(note)] if note else []))


def _main_score(evaluation: Evaluation, metric: str) -> Iterator[tuple[str, object]]:
    numbers = evaluation.scores.numbers()
    name = f"{metric.replace('_', ' ')} ({evaluation.split})"
    if metric in numbers:
        yield name, readable(numbers[metric])
        if evaluation.baseline is not None and metric in evaluation.baseline.numbers():
            other = evaluation.baseline.numbers()[metric]
            yield f"of the {evaluation.baseline_name}", readable(other)


def _training(report: RunReport, picture: bytes | None) -> markup.Markup:
    history, parts = report.history, []
    if picture is not None:
        first, last = history.steps[0].loss, history.steps[-1].loss
        alt = (
            f"Training curve over {len(history.steps):,} updates: the loss goes from {first:.3f} "
            f"to {last:.3f}; the table below has the validations."
        )
        parts.append(markup.picture(picture, alt))
    if history.validations:
        parts.append(_validations(report))
    return markup.section("Training", *parts)


def _validations(report: RunReport) -> markup.Markup:
    shown = report.history.validations[-_MOST_VALIDATIONS:]
    names = list(dict.fromkeys(["loss", report.metric]))
    best = report.history.best(report.metric)
    kept = None if best is None else report.history.validations[best]
    rows = [
        [
            f"{one.step:,}",
            "kept" if one is kept and report.recipe.average_last is None else "",
            *(readable(one.scores[name]) for name in names),
        ]
        for one in shown
    ]
    caption = "Validations"
    if len(shown) < len(report.history.validations):
        caption += f", the last {len(shown)} of {len(report.history.validations):,}"
    header = ["update", "weights", *(name.replace("_", " ") for name in names)]
    return markup.table(caption, header, rows, words=2)


def _suspects(suspects: Suspects) -> markup.Markup:
    title = "Labels that are probably wrong"
    if suspects.reason:
        return markup.section(title, markup.paragraph(f"None were looked for: {suspects.reason}."))
    said = (
        f"{len(suspects.rows):,} of {suspects.examined:,} training rows that were looked at, by "
        "confident learning (Northcutt et al. 2021) over a bag of words that had not seen the row."
    )
    return markup.section(title, markup.paragraph(said), *suspects_table(suspects.rows))


def suspects_table(suspects: Sequence[LabelError]) -> Iterator[markup.Markup]:
    """Yield a table of rows whose labels are probably wrong, if there are any."""
    rows = [
        [
            shown_text(one.text),
            shorten(one.label, 120),
            shorten(one.suggestion, 120),
            shorten(one.where, 120),
            f"{one.confidence:.4f}",
        ]
        for one in suspects[:_MOST_SUSPECTS]
    ]
    header = ["text", "label", "rather", "where", "confidence in the label"]
    if rows:
        yield markup.table("Rows, the surest errors first", header, rows, words=4)


def _data(report: RunReport) -> markup.Markup:
    lines = markup.joined(markup.element("li", line) for line in report.data.summary().splitlines())
    cut = [
        [name, f"{one.texts:,}", f"{one.rows:,}", f"{one.dropped_tokens / max(one.tokens, 1):.1%}"]
        for name, one in report.truncated.items()
    ]
    header = ["split", "cut", "texts", "tokens lost"]
    return markup.section(
        "Data",
        markup.element("ul", lines),
        markup.table("What truncation cut", header, cut),
        *_findings(report.findings),
    )


def _findings(findings: tuple[Finding, ...] | None) -> Iterator[markup.Markup]:
    if findings is None:
        yield markup.paragraph(
            f"The data were not checked, for they have more than {MOST_CHECKED:,} rows; "
            "manyheads check does it."
        )
    elif not findings:
        yield markup.paragraph("A check of the data found nothing.")
    else:
        kinds = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.NOTE: "quiet"}
        rows = [
            [
                markup.element("span", one.severity, of=kinds[one.severity]),
                shown_text(one.message),
                shown_text(one.remedy),
                shown_text("; ".join(one.places)),
            ]
            for one in findings[:_MOST_FINDINGS]
        ]
        header = ["", "finding", "remedy", "rows"]
        yield markup.table("What a check of the data found", header, rows, words=4)


def _recipe(report: RunReport) -> markup.Markup:
    changed = changed_settings(report.recipe)
    rows = [
        [name, shorten(given, 200), shorten(usual, 200)] for name, (given, usual) in changed.items()
    ]
    cleaning = ", ".join(f"{name} {value}" for name, value in report.cleaning.to_json().items())
    return markup.section(
        "Recipe",
        markup.table(
            "Settings that are not the usual ones", ["setting", "here", "usual"], rows, words=3
        )
        if rows
        else markup.paragraph("All settings are the usual ones."),
        markup.paragraph(f"Cleaning: {shorten(cleaning, 300)}"),
        markup.folded(
            "All settings",
            markup.table(
                "Recipe",
                ["setting", "value"],
                [[name, shorten(value, 200)] for name, value in report.recipe.to_json().items()],
                words=2,
            ),
        ),
    )


def duration(seconds: float) -> str:
    """Return a time as a person says it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
