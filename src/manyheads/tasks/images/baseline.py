"""What a model of images has to beat: logistic regression on small copies, by scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import DataError, MissingExtra
from manyheads.image import ImageSource, decode
from manyheads.tasks.baseline import LabelPredictions

if TYPE_CHECKING:
    from PIL.Image import Image

_SIDE = 16  # pixels of a copy
_AT_ONCE = 20_000  # rows to learn from: more take minutes, and change little


def predict_image_labels(
    train_images: Sequence[ImageSource],
    train_labels: Sequence[str],
    images: Sequence[ImageSource],
    labels: Sequence[str],
) -> LabelPredictions:
    """Learn one label per image by multinomial logistic regression on pixels, and predict `images`.

    A label of `labels` that no training image has gets the probability 0. Raises `DataError` where
    there are fewer than two labels, `ImageError`.
    """
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise MissingExtra("scikit-learn", "eval", "the baseline of images") from None
    # Evenly over all rows, which may be sorted by class.
    some = range(0, len(train_labels), -(-len(train_labels) // _AT_ONCE))
    names = [train_labels[row] for row in some]
    if len(set(names)) < 2:
        raise DataError("a baseline needs at least two labels in the training rows")
    seen = _copies([train_images[row] for row in some])
    mode = "RGB" if any(copy.mode == "RGB" for copy in seen) else "L"
    with warnings.catch_warnings():
        # A baseline that could become a little better with more steps is good enough.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=0.1, max_iter=200).fit(_features(seen, mode), names)
    probabilities = np.zeros((len(images), len(labels)))
    columns = [list(labels).index(label) for label in model.classes_]
    probabilities[:, columns] = model.predict_proba(_features(_copies(images), mode))
    predicted = [labels[column] for column in probabilities.argmax(axis=1)]
    return LabelPredictions(tuple(labels), predicted, probabilities)


def _copies(images: Sequence[ImageSource]) -> list[Image]:
    """Return small copies of all images, decoded several at once."""
    with ThreadPoolExecutor() as threads:
        return list(threads.map(_small_copy, images))


def _small_copy(image: ImageSource) -> Image:
    from PIL.Image import Resampling

    side = (_SIDE, _SIDE)
    return decode(image, near=side).resize(side, Resampling.BOX)


def _features(copies: Sequence[Image], mode: str) -> NDArray[np.float32]:
    """Return the pixels of copies, grey or RGB, as one row each, from -2 to 2."""
    pixels = np.stack([np.asarray(copy.convert(mode)).reshape(-1) for copy in copies])
    return (pixels.astype(np.float32) / 255 - 0.5) * 4
