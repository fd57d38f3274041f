"""How good many heads are: the scores of each, and their mean."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from manyheads.tasks.metrics import Scores
from manyheads.tasks.task import Judgement


@dataclass(frozen=True)
class ManyScores(Scores):
    """The scores of each head; `metrics` are the ones that their tasks are chosen by."""

    by_head: Mapping[str, Scores]
    metrics: Mapping[str, str]

    @property
    def mean(self) -> float:
        """The mean of the heads' own metrics, each head counting the same.

        Without those that have no meaning for their rows; no number where none has.
        """
        main = self._main().values()
        return sum(main) / len(main) if main else math.nan

    def numbers(self) -> dict[str, float]:
        """Return the mean, each head's own metric as `head.metric`, then all other scores."""
        others = {
            f"{head}.{name}": value
            for head, scores in self.by_head.items()
            for name, value in scores.numbers().items()
        }
        return {"mean": self.mean, **self._main(), **others}

    def to_json(self) -> dict[str, Any]:
        """Return all scores as JSON."""
        heads = {head: scores.to_json() for head, scores in self.by_head.items()}
        return {"mean": self.mean, "heads": heads}

    def _main(self) -> dict[str, float]:
        """Return the metric of each head that has a meaning for its rows."""
        return {
            f"{head}.{self.metrics[head]}": scores.numbers()[self.metrics[head]]
            for head, scores in self.by_head.items()
            if self.metrics[head] in scores.numbers()
        }


def together(
    judgements: Mapping[str, Judgement],
    rows: Mapping[str, Sequence[int]],
    metrics: Mapping[str, str],
    labels: Sequence[Any],
) -> Judgement:
    """Return what judgements of single heads say together.

    The loss is the mean of theirs. A part's loss is counted in mean losses of its head, so that the
    hardest parts of all heads compare. `rows` are those of each head, `labels` those of all rows.
    """
    parts = list(judgements.items())
    starts = [0, *accumulate(len(one.losses) for _, one in parts)]
    owned = [rows[head][row] for head, judgement in parts for row in judgement.rows]

    def of(part: int) -> tuple[Judgement, int]:
        place = bisect_right(starts, part) - 1
        return parts[place][1], part - starts[place]

    def predicted(part: int) -> Any:
        judgement, own = of(part)
        return judgement.prediction(own)

    def expected(part: int) -> Any:
        judgement, own = of(part)
        return labels[owned[part]] if judgement.expected is None else judgement.expected(own)

    return Judgement(
        loss=sum(one.loss for _, one in parts) / len(parts),
        scores=ManyScores({head: one.scores for head, one in parts}, metrics),
        rows=owned,
        losses=[loss for _, one in parts for loss in _relative(one.losses)],
        prediction=predicted,
        expected=expected,
    )


def _relative(losses: Sequence[float]) -> list[float]:
    mean = sum(losses) / max(1, len(losses))
    return [loss / mean if mean else loss for loss in losses]
