"""A model card, README.md, as the Hub of Hugging Face reads it: what a model is, and is not, for.

A card ends in a checksum of itself. So a card that somebody has edited, or written, is told from
one that is as it was written here, and only the latter is ever replaced.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from manyheads._version import __version__
from manyheads.data.checks.texts import main_script
from manyheads.data.dataset import describe_labels, printable, shorten
from manyheads.hub.atomic import write_atomically
from manyheads.tasks import TextToText
from manyheads.tasks.metrics import Scores
from manyheads.train.analysis.analysis import bounds
from manyheads.train.readable import readable
from manyheads.train.report.page import duration
from manyheads.train.report.run_report import RunReport, changed_settings
from manyheads.train.report.usage import Usage, usage_of

CARD = "README.md"
_CHECKSUM = re.compile(r"\n<!-- written by manyheads, unchanged: ([0-9a-f]{64}) -->\n\Z")
_SHOWN_SLICES = 5


def write_card(report: RunReport, folder: Path) -> Path | None:
    """Write the card of a run; return None where a README is there that is not as written here."""
    path = folder / CARD
    if path.exists() and not is_ours(path):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    text = printable(card(report))
    seal = f"\n<!-- written by manyheads, unchanged: {_digest(text)} -->\n"
    write_atomically(path, (text + seal).encode("utf-8"))
    return path


def is_ours(path: Path) -> bool:
    """Whether a README was written by `write_card` and nobody has changed it."""
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    found = _CHECKSUM.search(text)
    return found is not None and found[1] == _digest(text[: found.start()])


def card(report: RunReport) -> str:
    """Return the card of a run in Markdown, with its facts for machines in front."""
    name = f"{report.task.name.capitalize()} of {_source(report)}"
    usage = usage_of(report.task.name, is_paired="pair" in report.data.train.columns)
    parts = [
        f"---\n{_front_matter(report, usage)}\n---",
        f"# {name}",
        f"This model {usage.does}. {_came_from(report)}",
        *_how_to_use(usage),
        "## Training data",
        "\n".join(f"- {line}" for line in _data_lines(report)),
        *_training(report),
        *_evaluation(report),
        "## Limits",
        "\n".join(f"- {line}" for line in _limits(report, usage)),
        "## Versions",
        _versions(),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(report: RunReport, usage: Usage) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results = None
    evaluation, metric = report.evaluation, report.task.metric
    scores = {} if evaluation is None else evaluation.scores.numbers()
    if evaluation is not None and usage.pipeline is not None and metric in scores:
        result = EvalResult(
            task_type=usage.pipeline,
            dataset_type="other",
            dataset_name=_source(report),
            dataset_split=evaluation.split,
            metric_type=metric,
            metric_value=round(scores[metric], 4),
        )
        results = [result]
    facts = ModelCardData(
        base_model=report.model.published,
        language=_language(report),
        library_name=usage.library,
        pipeline_tag=usage.pipeline,
        tags=["manyheads", report.model.family],
        metrics=[metric],
        model_name=_source(report) if results else None,
        eval_results=results,
    )
    return facts.to_yaml().rstrip()


def _came_from(report: RunReport) -> str:
    model = report.model
    layers = "1 layer" if model.layers == 1 else f"{model.layers} layers"
    sizes = f"{layers}, width {model.width}, {model.parameters:,} weights"
    if model.origin == "from scratch":
        return f"It was trained from scratch: a {model.family} of {sizes}."
    return f"It was trained from {_base(report)}, a {model.family} of {sizes}."


def _base(report: RunReport) -> str:
    """Return what the model was trained from, without folders of the machine it was trained on."""
    origin = report.model.origin
    is_public = report.model.published is not None or origin.startswith("package:")
    return f"`{origin if is_public else Path(origin).name}`"


def _how_to_use(usage: Usage) -> Iterator[str]:
    yield "## How to use it"
    yield (
        f"With manyheads, which makes {usage.reads} ready as in training:\n\n```python\n"
        'import manyheads as mh\n\nmodel = mh.load("path/to/this/folder")\n'
        f"print({usage.call})\n```"
    )
    yield f"With {usage.library}:\n\n```python\n{usage.opened}\n```"


def _source(report: RunReport) -> str:
    return printable(Path(report.data.train.source).name)


def _data_lines(report: RunReport) -> Iterator[str]:
    for head, split in (
        (n, one) for n, data in report.data.sets().items() for one in data.splits()
    ):
        line = f"{head} {split.name}: {len(split):,} rows of `{Path(split.source).name}`".strip()
        labels = split.columns.get("label")
        yield line if labels is None else f"{line}: {_plain(describe_labels(labels))}"
    yield from (f"truncation, {name}: {cut}" for name, cut in report.truncated.items() if cut.texts)


def _training(report: RunReport) -> Iterator[str]:
    changed = changed_settings(report.recipe)
    steps = report.history.steps
    yield "## Training"
    yield (
        f"{len(steps):,} updates over {report.history.tokens:,} tokens in "
        f"{duration(report.seconds)} on {report.model.device}; "
        + ("these settings are not the usual ones:" if changed else "all settings the usual ones.")
    )
    if changed:
        yield _markdown_table(
            ("setting", "value", "usual"),
            [(name, _code(given), _code(usual)) for name, (given, usual) in changed.items()],
        )


def _evaluation(report: RunReport) -> Iterator[str]:
    evaluation = report.evaluation
    yield "## Evaluation"
    if evaluation is None:
        yield "No rows were held out, so the model was not evaluated."
        return
    yield f"On {evaluation.rows:,} rows of {evaluation.split} (`{Path(evaluation.source).name}`):"
    other = evaluation.baseline
    header = ("score", "this model", *(() if other is None else (evaluation.baseline_name,)))
    rows = []
    for metric in evaluation.scores.numbers():
        beside = () if other is None else (_score(other, metric),)
        rows.append((metric.replace("_", " "), _score(evaluation.scores, metric), *beside))
    yield _markdown_table(header, rows)


def _limits(report: RunReport, usage: Usage) -> Iterator[str]:
    yield f"It was trained and judged on these data alone; on other {usage.reads} it may be worse."
    if report.evaluation is not None and report.evaluation.split == "valid":
        yield "The scores are those of the rows that chose its weights, and so a little too good."
    worse = [] if report.analysis is None else [s for s in report.analysis.slices if s.is_worse]
    for one in worse[:_SHOWN_SLICES]:
        yield (
            f"It is worse than usual for {_plain(one.kind)} {_plain(shorten(one.value))}: "
            f"{one.score:.3f} ({bounds(one.interval)}) over {one.rows:,} rows."
        )
    lost = report.truncated["train"]
    if lost.texts:
        yield f"Long texts are cut as in training, where {lost}."


def _score(scores: Scores, metric: str) -> str:
    if metric not in scores.numbers():
        return "–"
    interval = getattr(scores, f"{metric}_interval", None)
    number = readable(scores.numbers()[metric])
    return number if interval is None else f"{number} ({bounds(interval)})"


def _language(report: RunReport) -> str | None:
    """Return the language of the texts where the task says it, or their script leaves no doubt."""
    if isinstance(report.task, TextToText):  # English is what it says unless it was told
        return None if report.task.language == "en" else report.task.language
    texts = report.data.train.columns.get("text", [""])
    sample = " ".join(text[:100] for text in texts[:: max(1, len(texts) // 1000)][:1000])
    return (
        "zh" if main_script(sample) == "Han" and not re.search("[\u3040-\u30ff]", sample) else None
    )


def _markdown_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(value: object) -> str:
    return f"`{shorten(value, 100)}`".replace("|", "\\|")


def _plain(text: str) -> str:
    """Return a text that says in Markdown what it says."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", text)


def _versions() -> str:
    import tokenizers
    import torch

    return (
        f"manyheads {__version__}, torch {torch.__version__}, tokenizers {tokenizers.__version__}, "
        f"Python {sys.version.split()[0]}"
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
