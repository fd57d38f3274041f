"""Tasks: what a model learns, from a column of labels to predictions with names; and how good
what it writes is: `text_scores` with the metrics of translations, summaries and transcripts.
"""

from __future__ import annotations

from manyheads.errors import ConfigError, did_you_mean
from manyheads.tasks.classify import Balance, Classification, Labelled, MultiLabel, MultiLabelled
from manyheads.tasks.error_rates import CharacterErrors, WordErrors
from manyheads.tasks.regress import Regression, Valued
from manyheads.tasks.significance import Comparison, compare, compare_values
from manyheads.tasks.summary_metrics import Rouge, RougeKind, RougeWords, summary_metrics
from manyheads.tasks.task import Batch, Example, Loss, Reader, Task, TaskModel, loss_of
from manyheads.tasks.text_scores import (
    LanguageModelScores,
    TextScores,
    language_model_scores,
    text_scores,
)
from manyheads.tasks.translation_metrics import (
    Bleu,
    Chrf,
    Nist,
    Ter,
    Tokenisation,
    translation_metrics,
)

__all__ = [
    "TASKS",
    "Balance",
    "Batch",
    "Bleu",
    "CharacterErrors",
    "Chrf",
    "Classification",
    "Comparison",
    "Example",
    "Labelled",
    "LanguageModelScores",
    "Loss",
    "MultiLabel",
    "MultiLabelled",
    "Nist",
    "Reader",
    "Regression",
    "Rouge",
    "RougeKind",
    "RougeWords",
    "Task",
    "TaskModel",
    "Ter",
    "TextScores",
    "Tokenisation",
    "Valued",
    "WordErrors",
    "compare",
    "compare_values",
    "language_model_scores",
    "loss_of",
    "summary_metrics",
    "task_type",
    "text_scores",
    "translation_metrics",
]

TASKS = {task.name: task for task in (Classification, MultiLabel, Regression)}


def task_type(name: str) -> type[Classification] | type[MultiLabel] | type[Regression]:
    """Return the task of that name; raises `ConfigError` for an unknown one."""
    if name not in TASKS:
        raise ConfigError(
            f"the task {name!r} is not known.{did_you_mean(name, TASKS)} Known: {', '.join(TASKS)}"
        )
    return TASKS[name]
