"""From what tokens say to the tags of a text: the best sequence of them that means something."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from manyheads.tasks.tagging.samples import Stretch
from manyheads.text.tag_scheme import OUTSIDE, is_entity_tag


def log_probs_of_words(
    parts: Sequence[Tensor], stretches: Sequence[Stretch], words: Sequence[int], tags: int
) -> list[NDArray[np.float32]]:
    """Return the log-probabilities (W, C) of the words of each row, from those of stretches.

    `words` are the counts of the rows' words, `tags` is C. What several tokens say of a word is
    averaged; one that no token speaks for may be anything.
    """
    sums = [np.zeros((count, tags), np.float32) for count in words]
    tokens = [np.zeros((count, 1), np.float32) for count in words]
    for part_WC, stretch in zip(parts, stretches, strict=True):
        own = np.asarray(stretch.words, int)
        np.add.at(sums[stretch.row], own, part_WC.numpy())
        np.add.at(tokens[stretch.row], own, 1.0)
    return [
        _normalised(total / np.maximum(count, 1.0))
        for total, count in zip(sums, tokens, strict=True)
    ]


def forbidden(tags: Sequence[str]) -> NDArray[np.bool_]:
    """Return which tag may not follow which, (1 + C, C); row 0 stands for the start of a text."""
    rows = []
    for before in ("", *tags):
        goes_on = {f"I-{before[2:]}"} if is_entity_tag(before) and before != OUTSIDE else set()
        rows.append([tag.startswith("I-") and tag not in goes_on for tag in tags])
    return np.array(rows)


def best_path(log_probs_WC: NDArray[np.float32], barred: NDArray[np.bool_]) -> list[int]:
    """Return the most probable sequence of tags in which no barred one follows (Viterbi 1967).

    `barred` is as `forbidden` returns it.
    """
    if not len(log_probs_WC):
        return []
    greedy: list[int] = log_probs_WC.argmax(axis=1).tolist()
    if not barred[[0, *(one + 1 for one in greedy[:-1])], greedy].any():
        return greedy
    costs = np.where(barred, -np.inf, 0.0)
    scores = log_probs_WC[0] + costs[0]
    pointers = []
    for log_probs_C in log_probs_WC[1:]:
        reached_CC = scores[:, None] + costs[1:]
        pointers.append(reached_CC.argmax(axis=0))
        scores = reached_CC.max(axis=0) + log_probs_C
    path = [int(scores.argmax())]
    for pointer in reversed(pointers):
        path.append(int(pointer[path[-1]]))
    return path[::-1]


def _normalised(scores_WC: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return scores as log-probabilities."""
    shifted = scores_WC - scores_WC.max(axis=1, keepdims=True, initial=-np.inf)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
