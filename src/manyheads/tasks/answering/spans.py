"""From what a model says of single tokens to answers: the likeliest spans over all windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from manyheads.tasks.answering.samples import Window


@dataclass(frozen=True)
class Candidate:
    """An answer: `context[start:end]`, with its log-probability and its share among all candidates.

    The empty text says that there is no answer.
    """

    text: str
    start: int
    end: int
    score: float
    probability: float = 0.0

    def __str__(self) -> str:
        return self.text or "(no answer)"


def best_spans(
    context: str, windows: Sequence[tuple[Window, Tensor]], longest: int, n: int
) -> list[Candidate]:
    """Return the `n` likeliest answers in a context, the likeliest first, and that there is none.

    Each window comes with the log-probabilities (1 + tokens, 2) of its places. An answer that
    several windows show counts by the one that is surest of it; none is in the context where the
    window that denies it least says so.
    """
    best: dict[tuple[int, int], float] = {}
    none = np.inf
    for window, log_probs in windows:
        scores_P2 = log_probs.numpy()
        none = min(none, float(scores_P2[0].sum()))
        for first, last, score in _spans(scores_P2[1:], longest, n):
            span = window.starts[first], window.ends[last]
            if context[slice(*span)].strip():
                best[span] = max(score, best.get(span, -np.inf))
    ordered = sorted(best.items(), key=lambda one: -one[1])[:n]
    found = [Candidate(context[a:b], a, b, score) for (a, b), score in ordered]
    found.append(Candidate("", 0, 0, none if windows else 0.0))
    scores = np.array([one.score for one in found])
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    shared = [
        Candidate(one.text, one.start, one.end, one.score, float(share))
        for one, share in zip(found, shares, strict=True)
    ]
    return sorted(shared, key=lambda one: -one.score)


def _spans(scores_P2: np.ndarray, longest: int, n: int) -> list[tuple[int, int, float]]:
    """Return the first and the last token of the likeliest spans of a window."""
    tokens = len(scores_P2)
    if not tokens:
        return []
    width = min(longest, tokens)
    totals_WP = np.full((width, tokens), -np.inf, np.float32)
    for more in range(width):
        totals_WP[more, : tokens - more] = scores_P2[: tokens - more, 0] + scores_P2[more:, 1]
    flat = totals_WP.ravel()
    chosen = np.argpartition(-flat, min(n, flat.size - 1))[:n]
    rows, firsts = np.unravel_index(chosen, totals_WP.shape)
    return [
        (int(first), int(first + more), float(totals_WP[more, first]))
        for more, first in zip(rows, firsts, strict=True)
        if np.isfinite(totals_WP[more, first])
    ]
