"""The bag of words that a Transformer has to beat: TF-IDF and a linear model, by scikit-learn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.core.similarity import nearest
from manyheads.errors import DataError, MissingExtra
from manyheads.text.scripts import UNSPACED

_UNSPACED = re.compile(f"[{UNSPACED}]")
_LETTER = re.compile(r"[^\W\d_]")
_SAMPLE = 1000  # texts that decide on the script
_SMALL = 200  # rows below which a word that is seen once still counts


@dataclass(frozen=True)
class LabelPredictions:
    """One label per text, and probabilities (texts, labels) in the order of `labels`."""

    labels: tuple[str, ...]
    predicted: list[str]
    probabilities: NDArray[np.float64]


@dataclass(frozen=True)
class LabelSetPredictions:
    """A set of labels per text, and each label's own probability (texts, labels)."""

    labels: tuple[str, ...]
    predicted: list[tuple[str, ...]]
    probabilities: NDArray[np.float64]


def predict_labels(
    train_texts: Sequence[str],
    train_labels: Sequence[str],
    texts: Sequence[str],
    labels: Sequence[str],
) -> LabelPredictions:
    """Learn one label per text by multinomial logistic regression, and predict `texts`.

    A label of `labels` that no training text has gets the probability 0. Raises `DataError` where
    there are fewer than two labels or no words to learn from.
    """
    if len(set(train_labels)) < 2:
        raise DataError("a baseline needs at least two labels in the training rows")
    train, test = _features(train_texts, texts)
    model = _logistic_regression().fit(train, list(train_labels))
    probabilities = np.zeros((len(texts), len(labels)))
    columns = [list(labels).index(label) for label in model.classes_]
    probabilities[:, columns] = model.predict_proba(test)
    predicted = [labels[column] for column in probabilities.argmax(axis=1)]
    return LabelPredictions(tuple(labels), predicted, probabilities)


def predict_label_sets(
    train_texts: Sequence[str],
    train_labels: Sequence[Sequence[str]],
    texts: Sequence[str],
    labels: Sequence[str],
) -> LabelSetPredictions:
    """Learn a set of labels per text, one logistic regression for each, and predict `texts`.

    A label that all training texts agree on is predicted as they have it. Raises `DataError`
    where there are no words to learn from.
    """
    train, test = _features(train_texts, texts)
    probabilities = np.zeros((len(texts), len(labels)))
    for column, label in enumerate(labels):
        has_label = np.array([label in row for row in train_labels])
        if has_label.all() or not has_label.any():
            probabilities[:, column] = float(has_label[0])
        else:
            model = _logistic_regression().fit(train, has_label)
            probabilities[:, column] = model.predict_proba(test)[:, 1]
    predicted = [
        tuple(label for label, share in zip(labels, row, strict=True) if share >= 0.5)
        for row in probabilities
    ]
    return LabelSetPredictions(tuple(labels), predicted, probabilities)


def predict_numbers(
    train_texts: Sequence[str], train_numbers: Sequence[float], texts: Sequence[str]
) -> list[float]:
    """Learn a number per text by ridge regression, and predict `texts`.

    Raises `DataError` where there are no words to learn from.
    """
    train, test = _features(train_texts, texts)
    from sklearn.linear_model import Ridge

    predicted = Ridge(alpha=1.0).fit(train, np.asarray(train_numbers, float)).predict(test)
    return [float(number) for number in predicted]


def cosines(
    train_texts: Sequence[str], texts: Sequence[str], pairs: Sequence[str]
) -> NDArray[np.float64]:
    """Return the cosine of each text with its pair, (N), as vectors of TF-IDF.

    Raises `DataError` where there are no words to learn from.
    """
    _, vectors = _features(train_texts, [*texts, *pairs])
    products = vectors[: len(texts)].multiply(vectors[len(texts) :])
    return np.asarray(products.sum(axis=1), dtype=np.float64).ravel()


def search(
    train_texts: Sequence[str], queries: Sequence[str], documents: Sequence[str], count: int
) -> list[list[int]]:
    """Return, for each query, the numbers of the documents nearest to it as vectors of TF-IDF.

    Raises `DataError` where there are no words to learn from.
    """
    _, vectors = _features(train_texts, [*queries, *documents])
    wanted, there = vectors[: len(queries)], vectors[len(queries) :].T.tocsc()

    def near(rows: slice) -> NDArray[Any]:
        return np.asarray((wanted[rows] @ there).toarray())

    rankings: list[list[int]] = nearest(near, len(queries), len(documents), count)[0].tolist()
    return rankings


def require_words() -> None:
    """Raise `MissingExtra` where there is nothing that makes vectors of TF-IDF."""
    _features(["a word"], ["a word"])


def is_unspaced(texts: Sequence[str]) -> bool:
    """Return whether most letters are of scripts without spaces between words."""
    sample = "".join(texts[:: max(1, len(texts) // _SAMPLE)])
    return 2 * len(_UNSPACED.findall(sample)) > len(_LETTER.findall(sample))


def _features(train_texts: Sequence[str], texts: Sequence[str]) -> tuple[Any, Any]:
    """Return TF-IDF of n-grams, up to 2, of words, or of characters where words have no spaces."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError:
        raise MissingExtra("scikit-learn", "eval", "the bag-of-words baseline") from None
    unspaced = is_unspaced(train_texts)
    vectorizer = TfidfVectorizer(
        analyzer="char" if unspaced else "word",
        ngram_range=(1, 2),
        token_pattern=None if unspaced else r"\w+",
        sublinear_tf=True,
        min_df=1 if len(train_texts) < _SMALL else 2,
    )
    try:
        return vectorizer.fit_transform(train_texts), vectorizer.transform(texts)
    except ValueError as error:
        raise DataError(f"the training texts hold no words to learn from ({error})") from None


def _logistic_regression() -> Any:
    from sklearn.linear_model import LogisticRegression

    # C=30 did best, of 1 to 1000, over English and Chinese reviews, questions and sentiment.
    return LogisticRegression(C=30.0, max_iter=1000)
