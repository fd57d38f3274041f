"""How good predictions are: the field's scores, computed by scikit-learn, with labels by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import NormalDist
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manyheads.errors import DataError, MissingExtra, RecipeError, did_you_mean


@dataclass(frozen=True, slots=True)
class Interval:
    """The bounds that hold a score with the probability `level`."""

    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class LabelScores:
    """One label: of the rows predicted so, of the rows that are so, and how many are so."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Scores:
    """What all scores have in common: they can be asked by name and written as JSON.

    `counted` says what the support of a label counts.
    """

    counted: ClassVar[str] = "rows"

    def value(self, metric: str) -> float:
        """Return one score by its name; raises `RecipeError` naming the nearest one."""
        numbers = self.numbers()
        if metric not in numbers:
            hint = did_you_mean(metric, numbers) or f" Choose one of {', '.join(numbers)}."
            raise RecipeError(f"metric {metric!r} is unknown here.{hint}")
        return numbers[metric]

    def numbers(self) -> dict[str, float]:
        """Return every score that is one number, by name; those without a meaning are left out."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, float)}

    def to_json(self) -> dict[str, Any]:
        """Return all scores as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class ClassificationScores(Scores):
    """Scores of one label per row.

    `confusion[i][j]` counts the rows that are `labels[i]` and were predicted as `labels[j]`.
    `log_loss` and, for two labels, `roc_auc` need probabilities and are None without.
    """

    count: int
    accuracy: float
    accuracy_interval: Interval
    balanced_accuracy: float
    macro_f1: float
    micro_f1: float
    weighted_f1: float
    matthews_correlation: float
    log_loss: float | None
    roc_auc: float | None
    per_label: tuple[LabelScores, ...]
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class MultiLabelScores(Scores):
    """Scores of a set of labels per row; `subset_accuracy` counts the sets that are all right."""

    count: int
    subset_accuracy: float
    subset_accuracy_interval: Interval
    micro_f1: float
    macro_f1: float
    label_ranking_average_precision: float | None
    per_label: tuple[LabelScores, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class RegressionScores(Scores):
    """Scores of a number per row; correlations are None where one side does not vary."""

    count: int
    mean_absolute_error: float
    root_mean_squared_error: float
    r2: float | None
    pearson: float | None
    spearman: float | None


@dataclass(frozen=True)
class WordScores(ClassificationScores):
    """Scores of one label per word."""

    counted: ClassVar[str] = "words"


def classification_scores(
    expected: Sequence[str],
    predicted: Sequence[str],
    labels: Sequence[str],
    probabilities: ArrayLike | None = None,
    kind: type[ClassificationScores] = ClassificationScores,
) -> ClassificationScores:
    """Score one label per row, or per whatever `kind` says.

    `probabilities` (rows, labels) has its columns in the order of `labels`. A label that no row
    has counts in neither macro F1 nor balanced accuracy. Raises `DataError` for no rows, rows that
    do not match, or a label outside `labels`.
    """
    metrics = _sklearn_metrics("scoring a classification")
    _check_rows(len(expected), len(predicted))
    truth_B, guess_B = _indices(expected, labels), _indices(predicted, labels)
    probabilities_BL = _matrix(probabilities, len(expected), labels)
    present = sorted(set(truth_B.tolist()) | set(guess_B.tolist()))

    def f1(average: str) -> float:
        score = metrics.f1_score(truth_B, guess_B, labels=present, average=average, zero_division=0)
        return float(score)

    recalls = metrics.recall_score(
        truth_B, guess_B, labels=sorted(set(truth_B.tolist())), average=None, zero_division=0
    )
    return kind(
        count=len(expected),
        accuracy=float(metrics.accuracy_score(truth_B, guess_B)),
        accuracy_interval=wilson_interval(int((truth_B == guess_B).sum()), len(expected)),
        balanced_accuracy=float(np.mean(recalls)),
        macro_f1=f1("macro"),
        micro_f1=f1("micro"),
        weighted_f1=f1("weighted"),
        matthews_correlation=_matthews(metrics, truth_B, guess_B),
        log_loss=_log_loss(metrics, truth_B, probabilities_BL),
        roc_auc=_roc_auc(metrics, truth_B, probabilities_BL),
        per_label=_per_label(metrics, truth_B, guess_B, labels, list(range(len(labels)))),
        labels=tuple(labels),
        confusion=_confusion(metrics, truth_B, guess_B, len(labels)),
    )


def multilabel_scores(
    expected: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    labels: Sequence[str],
    probabilities: ArrayLike | None = None,
) -> MultiLabelScores:
    """Score a set of labels per row; probabilities (rows, labels) are those of each label alone.

    Raises `DataError` for no rows, rows that do not match, or a label outside `labels`.
    """
    metrics = _sklearn_metrics("scoring a multi-label classification")
    _check_rows(len(expected), len(predicted))
    truth_BL, guess_BL = _indicators(expected, labels), _indicators(predicted, labels)
    probabilities_BL = _matrix(probabilities, len(expected), labels)
    right = int((truth_BL == guess_BL).all(axis=1).sum())
    # A single column is read as two classes, of which the second one is the label.
    order = [1] if len(labels) == 1 else None
    ranking = None
    if probabilities_BL is not None:
        ranking = float(metrics.label_ranking_average_precision_score(truth_BL, probabilities_BL))

    def f1(average: str) -> float:
        score = metrics.f1_score(truth_BL, guess_BL, labels=order, average=average, zero_division=0)
        return float(score)

    return MultiLabelScores(
        count=len(expected),
        subset_accuracy=right / len(expected),
        subset_accuracy_interval=wilson_interval(right, len(expected)),
        micro_f1=f1("micro"),
        macro_f1=f1("macro"),
        label_ranking_average_precision=ranking,
        per_label=_per_label(metrics, truth_BL, guess_BL, labels, order),
        labels=tuple(labels),
    )


def regression_scores(expected: Sequence[float], predicted: Sequence[float]) -> RegressionScores:
    """Score a number per row; raises `DataError` for no rows or rows that do not match."""
    metrics = _sklearn_metrics("scoring a regression")
    from scipy import stats

    _check_rows(len(expected), len(predicted))
    truth_B, guess_B = np.asarray(expected, float), np.asarray(predicted, float)
    varies = bool(np.ptp(truth_B) > 0)
    both_vary = varies and bool(np.ptp(guess_B) > 0)
    return RegressionScores(
        count=len(expected),
        mean_absolute_error=float(metrics.mean_absolute_error(truth_B, guess_B)),
        root_mean_squared_error=float(metrics.root_mean_squared_error(truth_B, guess_B)),
        r2=float(metrics.r2_score(truth_B, guess_B)) if varies else None,
        pearson=float(stats.pearsonr(truth_B, guess_B).statistic) if both_vary else None,
        spearman=float(stats.spearmanr(truth_B, guess_B).statistic) if both_vary else None,
    )


def wilson_interval(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Return Wilson's score interval of a proportion (1927); holds for few trials and near 0, 1."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, shrink = successes / trials, 1 + z * z / trials
    center = (share + z * z / (2 * trials)) / shrink
    half = z * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2) / shrink
    return Interval(max(0.0, center - half), min(1.0, center + half), level)


def bootstrap_interval(
    score: Callable[[NDArray[np.intp]], float],
    rows: int,
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return the percentile bootstrap interval of any score (Efron, 1979).

    `score` gets row indices (rows,), drawn with replacement, and scores these rows; give it the
    difference of two systems on the same rows to compare them.
    """
    return percentile_interval(bootstrap_values(score, rows, resamples, seed), level)


def bootstrap_values(
    score: Callable[[NDArray[np.intp]], float], rows: int, resamples: int, seed: int
) -> NDArray[np.float64]:
    """Return a score of each resample (resamples,): of as many rows, drawn with replacement."""
    generator = np.random.default_rng(seed)
    return np.array([score(generator.integers(0, rows, rows)) for _ in range(resamples)])


def percentile_interval(values: NDArray[np.float64], level: float = 0.95) -> Interval:
    """Return the bounds that hold the middle share `level` of values."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level)


def _sklearn_metrics(purpose: str) -> Any:
    try:
        from sklearn import metrics
    except ImportError:
        raise MissingExtra("scikit-learn", "eval", purpose) from None
    return metrics


def _check_rows(expected: int, predicted: int) -> None:
    if expected == 0:
        raise DataError("there are no rows to score")
    if expected != predicted:
        raise DataError(f"{predicted} predictions for {expected} expected rows; give one for each")


def _positions(labels: Sequence[str]) -> Mapping[str, int]:
    return {label: index for index, label in enumerate(labels)}


def _indices(rows: Sequence[str], labels: Sequence[str]) -> NDArray[np.intp]:
    """Return each row's label as its position in `labels` (rows,)."""
    positions = _positions(labels)
    for number, label in enumerate(rows, start=1):
        if label not in positions:
            raise DataError(_unknown(label, number, labels))
    return np.array([positions[label] for label in rows], dtype=np.intp)


def _indicators(rows: Sequence[Sequence[str]], labels: Sequence[str]) -> NDArray[np.intp]:
    """Return each row's set of labels as ones and zeros (rows, labels)."""
    positions = _positions(labels)
    indicators = np.zeros((len(rows), len(labels)), dtype=np.intp)
    for number, row in enumerate(rows, start=1):
        for label in row:
            if label not in positions:
                raise DataError(_unknown(label, number, labels))
            indicators[number - 1, positions[label]] = 1
    return indicators


def _unknown(label: str, row: int, labels: Sequence[str]) -> str:
    hint = did_you_mean(str(label), labels)
    return (
        f"row {row} has the label {label!r}, which is none of the {len(labels)} known ones.{hint}"
    )


def _matrix(
    probabilities: ArrayLike | None, rows: int, labels: Sequence[str]
) -> NDArray[np.float64] | None:
    if probabilities is None:
        return None
    matrix = np.asarray(probabilities, dtype=np.float64)
    if matrix.shape != (rows, len(labels)):
        raise DataError(
            f"probabilities have shape {matrix.shape} instead of {(rows, len(labels))}: "
            "one row each, one column for each label"
        )
    return matrix


def _matthews(metrics: Any, truth_B: NDArray[np.intp], guess_B: NDArray[np.intp]) -> float:
    if np.ptp(np.concatenate([truth_B, guess_B])) == 0:
        return 0.0  # by convention; scikit-learn says so with a warning
    return float(metrics.matthews_corrcoef(truth_B, guess_B))


def _log_loss(
    metrics: Any, truth_B: NDArray[np.intp], probabilities_BL: NDArray[np.float64] | None
) -> float | None:
    if probabilities_BL is None or probabilities_BL.shape[1] < 2:
        return None
    # float32 softmaxes sum to 1 but for rounding, which scikit-learn warns of in float64.
    normalised = probabilities_BL / probabilities_BL.sum(axis=1, keepdims=True)
    return float(metrics.log_loss(truth_B, normalised, labels=range(normalised.shape[1])))


def _roc_auc(
    metrics: Any, truth_B: NDArray[np.intp], probabilities_BL: NDArray[np.float64] | None
) -> float | None:
    """Return the area under the curve of the second of two labels, where rows have both."""
    if probabilities_BL is None or probabilities_BL.shape[1] != 2 or np.ptp(truth_B) == 0:
        return None
    return float(metrics.roc_auc_score(truth_B, probabilities_BL[:, 1]))


def _per_label(
    metrics: Any,
    truth: NDArray[np.intp],
    guess: NDArray[np.intp],
    labels: Sequence[str],
    order: list[int] | None,
) -> tuple[LabelScores, ...]:
    columns = metrics.precision_recall_fscore_support(truth, guess, labels=order, zero_division=0)
    return tuple(
        LabelScores(label, float(precision), float(recall), float(f1), int(support))
        for label, precision, recall, f1, support in zip(labels, *columns, strict=True)
    )


def _confusion(
    metrics: Any, truth_B: NDArray[np.intp], guess_B: NDArray[np.intp], labels: int
) -> tuple[tuple[int, ...], ...]:
    matrix = metrics.confusion_matrix(truth_B, guess_B, labels=range(labels))
    return tuple(tuple(int(count) for count in row) for row in matrix)
