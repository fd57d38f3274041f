"""How much likelier it must be that there is no answer, for that to be said (SQuAD 2.0)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best_threshold(
    margins: NDArray[np.float64], answered: NDArray[np.float64], refused: NDArray[np.float64]
) -> float:
    """Return the margin above which to refuse an answer, for the highest mean score.

    Of each question (N) `margins` says how much likelier no answer is than the best one, `answered`
    what that answer scores and `refused` what none does. The mean is that of `best_f1` in the
    evaluation of SQuAD 2.0. Of several best thresholds it is the one that is nearest to 0; it lies
    in the middle between the margins of two questions.
    """
    order = np.argsort(margins)
    margins = margins[order]
    # One total for each number of questions that are answered, those of the least margin first.
    totals = refused.sum() + np.concatenate([[0.0], np.cumsum((answered - refused)[order])])
    below = np.concatenate([[-np.inf], margins])
    above = np.concatenate([margins, [np.inf]])
    is_best = (below < above) & (totals >= totals[below < above].max() - 1e-9)
    below, above = below[is_best], above[is_best]
    if ((below <= 0) & (above > 0)).any():
        return 0.0
    with np.errstate(invalid="ignore"):
        middles = (below + above) / 2
    middles = np.where(np.isinf(below), above - 1, np.where(np.isinf(above), below + 1, middles))
    return float(middles[np.abs(middles).argmin()])
