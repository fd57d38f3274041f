"""One page about several runs of a recipe: how much they differ, and which labels they doubt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from manyheads._version import __version__
from manyheads.errors import MissingExtra
from manyheads.hub.atomic import write_atomically
from manyheads.pages import markup
from manyheads.train.analysis.label_errors import errors_out_of_fold
from manyheads.train.readable import readable
from manyheads.train.repeats.trials import LEVEL, Mean, Trials, by_name
from manyheads.train.report.page import suspects_table

_WIDTH, _LINE, _LEFT, _RIGHT = 900, 30, 130, 90  # pixels
_ROOM = 0.15  # beside the dots, of the distance between the outermost ones

Scores = Sequence[tuple[str, float]]


def write_trials_page(trials: Trials, path: Path) -> Path:
    """Write the page of several runs; it leads to the page of that name in the folder of each."""
    lead = f"{trials.title} · manyheads {__version__}"
    name = trials.metric.replace("_", " ")
    title = f"{len(trials.trials)} runs, by {name}"
    text = markup.page(title, lead, _sections(trials, path.name))
    write_atomically(path, text.encode("utf-8"))
    return path


def _sections(trials: Trials, page: str) -> Iterator[markup.Markup]:
    yield _summary(trials)
    if any(trial.fold for trial in trials.trials):
        named = {trial.name: trial.fold or {} for trial in trials.trials}
        yield _judged("Each by the fold that it has not seen", trials.metric, named, None, page)
    if trials.common:
        named = {trial.name: trial.common or {} for trial in trials.trials}
        yield _judged(trials.common, trials.metric, named, trials.ensemble_scores, page)
    yield from _doubts(trials)


def _summary(trials: Trials) -> markup.Markup:
    name = trials.metric.replace("_", " ")
    pairs: list[tuple[str, object]] = []
    if trials.metric in trials.scores:
        mean = trials.mean()
        pairs = [
            (f"mean {name}", readable(mean.mean)),
            (f"its {LEVEL:.0%} interval", f"{readable(mean.low)} to {readable(mean.high)}"),
            ("deviation of the runs", readable(mean.deviation)),
        ]
    if trials.ensemble_scores and trials.metric in trials.ensemble_scores:
        pairs.append((f"{name} of the ensemble", readable(trials.ensemble_scores[trials.metric])))
    pairs += [
        ("runs", len(trials.trials)),
        ("rows to learn from", ", ".join(sorted({f"{one.rows:,}" for one in trials.trials}))),
    ]
    why = trials.why_no_ensemble
    note = [markup.paragraph(f"There is no ensemble: {why}.")] if why else []
    return markup.section("Summary", markup.facts(pairs), *note)


def _judged(
    title: str,
    metric: str,
    runs: Mapping[str, Mapping[str, float]],
    together: Mapping[str, float] | None,
    page: str,
) -> markup.Markup:
    """Return what all runs reached on the same kind of rows: a picture and a table."""
    values = by_name(list(runs.values()))
    names = sorted(values, key=lambda name: name != metric)
    rows = [
        [markup.link(f"{run}/{page}", run), *(readable(scores[name]) for name in names)]
        for run, scores in runs.items()
    ]
    means = [Mean.of(values[name]) for name in names]
    rows.append(["mean", *(readable(one.mean) for one in means)])
    rows.append([f"± ({LEVEL:.0%}, t)", *(readable(one.high - one.mean) for one in means)])
    if together is not None:
        rows.append(["ensemble", *(readable(together[name]) for name in names)])
    parts: list[markup.Markup] = []
    if metric in names:
        dots = [(run, scores[metric]) for run, scores in runs.items()]
        if together is not None:
            dots.append(("ensemble", together[metric]))
        parts.append(_strip(dots, means[names.index(metric)], metric))
    header = ["run", *(name.replace("_", " ") for name in names)]
    return markup.section(title, *parts, markup.table("Scores", header, rows))


def _strip(scores: Scores, mean: Mean, metric: str) -> markup.Markup:
    """Return a line with a dot for each score, over the mean of the runs and its interval."""
    values = [mean.low, mean.high, *(value for _, value in scores)]
    room = _ROOM * (max(values) - min(values)) or 1.0
    low, high = min(values) - room, max(values) + room

    def across(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    height = _LINE * (len(scores) + 1)
    left, right, middle = across(mean.low), across(mean.high), across(mean.mean)
    drawn = [
        f'<rect x="{left:.1f}" y="0" width="{right - left:.1f}" height="{height - _LINE}"/>',
        f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="0" y2="{height - _LINE}"/>',
        f'<text x="{middle:.1f}" y="{height - _LINE / 2}" text-anchor="middle">'
        f"mean {readable(mean.mean)}</text>",
    ]
    for number, (name, value) in enumerate(scores):
        y = _LINE * (number + 0.5)
        drawn += [
            f'<text x="0" y="{y}">{markup.escaped(name)}</text>',
            f'<circle cx="{across(value):.1f}" cy="{y}" r="6"/>',
            f'<text x="{across(value) + 12:.1f}" y="{y}">{readable(value)}</text>',
        ]
    said = f"{metric.replace('_', ' ')} of every run over their mean; the table below has them."
    return markup.drawing(_WIDTH, height, said, drawn, of="strip")


def _doubts(trials: Trials) -> Iterator[markup.Markup]:
    """Yield the rows whose labels the models doubt that have not seen them, where there are any."""
    title = "Labels that are probably wrong"
    try:
        found = errors_out_of_fold(trials.out_of_fold)
    except MissingExtra as missing:
        yield markup.section(title, markup.paragraph(f"None were looked for: {missing}."))
        return
    if found is None:
        return
    said = (
        f"{len(found):,} of {len(trials.out_of_fold):,} rows, by confident learning (Northcutt et "
        "al. 2021) over what the model says that has not seen the row."
    )
    yield markup.section(title, markup.paragraph(said), *suspects_table(found))
