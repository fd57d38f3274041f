"""Labels that are probably wrong: confident learning (Northcutt et al. 2021), by cleanlab.

A bag of words learns from four fifths of the rows and says what the others are; where it is surer
of another label than it usually is, and less sure of the given one, the given one is suspect. The
trained model itself cannot be asked: it has learnt the wrong labels, too.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.data import Split
from manyheads.data.dataset import shorten
from manyheads.errors import DataError, MissingExtra, RecipeError
from manyheads.tasks import Classification, Task
from manyheads.tasks.baseline import predict_labels
from manyheads.tasks.labels import Describe, label_name, labels_of
from manyheads.tasks.reader import cleaned
from manyheads.tasks.sequence import joined
from manyheads.text import Cleaning

_FOLDS = 5


@dataclass(frozen=True)
class LabelError:
    """A row whose label is probably wrong, and the label that it might have instead.

    `confidence` is the probability that a bag of words gives to the label it has: the lower, the
    surer that it is wrong.
    """

    where: str
    text: str
    label: str
    suggestion: str
    confidence: float

    def __str__(self) -> str:
        return (
            f"{self.confidence:6.4f}  {self.where}  {self.label} → {self.suggestion}?  "
            f"{shorten(self.text, 120)!r}"
        )


def find_label_errors(
    task: Task, split: Split, cleaning: Cleaning, most_rows: int, seed: int = 0
) -> list[LabelError]:
    """Return the rows of a split whose label is probably wrong, the surest first.

    Of more than `most_rows` rows, so many are drawn; labels with fewer than five rows are left
    out. Raises `RecipeError` for tasks without one label per row, `DataError` where fewer than two
    labels remain, `MissingExtra` without cleanlab.
    """
    if not isinstance(task, Classification):
        raise RecipeError(
            f"wrong labels are looked for in classifications, and this task is {task.name}; "
            "look at its top losses instead"
        )
    issues = _label_issues()  # before folds are learnt, which takes long
    chosen = _drawn(split, most_rows, seed)
    texts = joined(cleaned(chosen.columns, cleaning))
    given = [label_name(label) for label in labels_of(chosen.columns)]
    names = sorted(set(given))
    if len(names) < 2:
        raise DataError(
            f"looking for wrong labels takes {_FOLDS} rows each of at least two labels; "
            f"there are {len(names)} such labels"
        )
    probabilities_NL = _out_of_fold(texts, given, names, seed)
    shown = chosen.columns["text"]
    return _doubted(issues, given, names, probabilities_NL, chosen.describe, shown)


def errors_out_of_fold(records: Sequence[Mapping[str, Any]]) -> list[LabelError] | None:
    """Return the rows of a cross-validation whose label is probably wrong, the surest first.

    `records` say what each row was said to be by the model that has not learnt from it. None where
    rows have not one label each, or all have the same. Raises `MissingExtra` without cleanlab.
    """
    given = [label_name(record["label"]) for record in records]
    if not all(
        label in record.get("probabilities", ())
        for label, record in zip(given, records, strict=True)
    ):
        return None
    names = sorted(set(given))
    if len(names) < 2:
        return None
    probabilities_NL = np.array([[one["probabilities"][name] for name in names] for one in records])
    probabilities_NL /= probabilities_NL.sum(axis=1, keepdims=True)
    texts = [record["text"] for record in records]
    return _doubted(
        _label_issues(), given, names, probabilities_NL, lambda row: records[row]["where"], texts
    )


def _label_issues() -> Callable[..., Sequence[int]]:
    """Return what finds wrong labels; raises `MissingExtra` without cleanlab."""
    try:
        with warnings.catch_warnings():  # where it finds datasets, it silences all from then on
            from cleanlab.filter import find_label_issues
    except ImportError:
        raise MissingExtra("cleanlab", "errors", "looking for wrong labels") from None
    issues: Callable[..., Sequence[int]] = find_label_issues
    return issues


def _doubted(
    issues: Callable[..., Sequence[int]],
    given: Sequence[str],
    names: Sequence[str],
    probabilities_NL: NDArray[np.float64],
    describe: Describe,
    texts: Sequence[str],
) -> list[LabelError]:
    """Return the rows whose labels are probably wrong by what was said of them, unseen."""
    labels_N = np.array([names.index(label) for label in given])
    found = issues(labels_N, probabilities_NL, return_indices_ranked_by="self_confidence", n_jobs=1)
    return [
        LabelError(
            where=describe(row),
            text=texts[row],
            label=given[row],
            suggestion=names[int(probabilities_NL[row].argmax())],
            confidence=float(probabilities_NL[row, labels_N[row]]),
        )
        for row in map(int, found)
    ]


def _drawn(split: Split, most_rows: int, seed: int) -> Split:
    """Return at most so many rows, without those of labels that are too rare for every fold."""
    rows = np.arange(len(split))
    if len(rows) > most_rows:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most_rows, replace=False))
    drawn = split.take(rows.tolist())
    given = [label_name(label) for label in labels_of(drawn.columns)]
    counts = Counter(given)
    return drawn.take(row for row, label in enumerate(given) if counts[label] >= _FOLDS)


def _out_of_fold(
    texts: Sequence[str], given: Sequence[str], names: Sequence[str], seed: int
) -> NDArray[np.float64]:
    """Return what a bag of words that has not seen a text says of it, (N, L)."""
    from sklearn.model_selection import StratifiedKFold

    probabilities_NL = np.zeros((len(texts), len(names)))
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    for seen, held_out in folds.split(texts, given):
        learnt = predict_labels(
            [texts[row] for row in seen],
            [given[row] for row in seen],
            [texts[row] for row in held_out],
            names,
        )
        probabilities_NL[held_out] = learnt.probabilities
    return probabilities_NL
