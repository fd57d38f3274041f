"""Several predictors of one task that answer as one: by the mean of what each of them says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from torch import Tensor, nn

from manyheads.errors import ConfigError
from manyheads.predict.head import HeadPredictor
from manyheads.predict.images import ImagePredictor
from manyheads.predict.tagging import Tagger
from manyheads.tasks import Averageable, Reader

Kind = TypeVar("Kind", bound=HeadPredictor)


class EnsembleModel(nn.Module):
    """Models of one task whose outputs are averaged as their task says."""

    def __init__(self, models: Sequence[nn.Module], task: Averageable) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)
        self.task = task

    def forward(self, batch: Any) -> Tensor:
        """Return the outputs (N, C) that say the mean of what the models say of a batch."""
        return self.task.averaged([model(batch) for model in self.models])


def ensemble(predictors: Sequence[Kind]) -> Kind:
    """Return a predictor that answers by the mean of what several say: of the probabilities of
    labels, of values, or of the probabilities of each word's tags before they are put in order.

    Thresholds that were chosen for each are averaged, too (Dietterich 2000; Lakshminarayanan et al.
    2017). The models are shared, not copied. Raises `ConfigError` for none, for predictors that
    differ in their task, their labels or how they read, and for tasks without a mean.
    """
    if not predictors:
        raise ConfigError("an ensemble needs predictors; give at least one")
    first, *others = predictors
    if not isinstance(first, HeadPredictor) or not isinstance(first.task, Averageable):
        raise ConfigError(
            f"what a {type(first).__name__} says has no mean; ensembles are of predictors of "
            "labels, numbers or tags"
        )
    for number, other in enumerate(others, 2):
        _require_alike(first, other, number)
    task = first.task.agreed([other.task for other in others])
    model = EnsembleModel([one.model for one in predictors], task)
    together = type(first)(model, task, first.reader, first.pretrained)
    together.parts = tuple(predictors)
    return together


def _require_alike(first: HeadPredictor, other: HeadPredictor, number: int) -> None:
    """Raise `ConfigError` naming what predictor `number` has otherwise than the first."""
    if type(first) is not type(other) or first.task.name != other.task.name:
        what = "is for another task"
    elif first.task.labels != other.task.labels:
        what = f"has other labels ({', '.join(other.task.labels)})"
    elif _reading(first) != _reading(other):
        what = "reads otherwise (its tokenizer, cleaning or truncation)"
    else:
        return
    raise ConfigError(
        f"predictor {number} of the ensemble {what} than the first one; give predictors of one "
        "task that were trained from the same model"
    )


def _reading(predictor: HeadPredictor) -> tuple[Any, ...]:
    """Return all that decides how a predictor reads."""
    if isinstance(predictor, ImagePredictor):
        return (predictor.reader.preparation,)
    reader: Reader = predictor.reader.reader if isinstance(predictor, Tagger) else predictor.reader
    return reader.tokenizer.to_json(), reader.cleaning, reader.truncation
