"""What vectors of texts are taught: which of them are to be near each other, and which nearer.

An objective is given the vectors of the S sides of N rows, (S, N, E): texts, pairs, and perhaps
hard negatives. It compares them by cosines.

    InBatchNegatives   pairs belong together, and with no other text of the batch
    CoSent, Angle      pairs of higher scores are nearer
    SquaredCosine      the cosine of a pair is its score
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, pad

from manyheads.errors import RecipeError

_AT_ONCE = 512  # rows whose scores with all others are made at a time


class Objective(Protocol):
    """A loss over the vectors of a batch."""

    @property
    def takes_scores(self) -> bool:
        """Whether it learns from a score for each pair, or from the pairs alone."""

    def __call__(self, vectors_SNE: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of an average row.

        `targets` are scores (N), or numbers of texts (S, N), equal for equal texts.
        """

    def losses(self, vectors_SNE: Tensor, targets: Tensor) -> Tensor:
        """Return how badly each row fits among the others, (N): to find the worst ones."""


@dataclass(frozen=True)
class InBatchNegatives:
    """A text finds its pair among all pairs and hard negatives of the batch, by cross entropy of
    cosines times `scale`; with `symmetric` a pair finds its text too, and the mean counts.

    InfoNCE (van den Oord et al. 2018), or multiple negatives ranking (Henderson et al. 2017).
    Texts that are known to belong together are no negatives of each other: an equal text, and the
    pairs of an equal text.
    """

    scale: float = 20.0
    symmetric: bool = True

    takes_scores: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _require_positive(self.scale)

    def __call__(self, vectors_SNE: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of an average row; `targets` are the numbers of the texts, (S, N)."""
        return self.losses(vectors_SNE, targets).mean()

    def losses(self, vectors_SNE: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each row, (N)."""
        vectors_SNE, rows_N = _unit(vectors_SNE), torch.arange(targets.shape[1])
        rows = rows_N.to(targets.device).split(_AT_ONCE)
        return torch.cat([self._losses(vectors_SNE, targets, some_M) for some_M in rows])

    def _losses(self, vectors_SNE: Tensor, numbers_SN: Tensor, rows_M: Tensor) -> Tensor:
        """Return the losses of some rows, (M)."""
        losses_M = self._finding(vectors_SNE, numbers_SN, rows_M)
        if not self.symmetric:
            return losses_M
        back_M = self._finding(vectors_SNE[[1, 0]], numbers_SN[[1, 0]], rows_M)
        return (losses_M + back_M) / 2

    def _finding(self, vectors_SNE: Tensor, numbers_SN: Tensor, rows_M: Tensor) -> Tensor:
        """Return how badly the first side of some rows finds the second among all others, (M)."""
        scores_MC = self.scale * vectors_SNE[0, rows_M] @ vectors_SNE[1:].flatten(0, 1).T
        hidden_MC = related(numbers_SN, rows_M)
        return cross_entropy(scores_MC.masked_fill(hidden_MC, -torch.inf), rows_M, reduction="none")


def related(numbers_SN: Tensor, rows_M: Tensor) -> Tensor:
    """Return which candidates of the rows are no negatives, though they are not the row's own: (M,
    C), where the C candidates are the texts of all sides but the first.
    """
    firsts_N, seconds_N = numbers_SN[0], numbers_SN[1]
    candidates_C = numbers_SN[1:].flatten()
    hidden_MC = candidates_C == seconds_N[rows_M, None]
    hidden_MC |= candidates_C == firsts_N[rows_M, None]
    hidden_MC[:, : len(firsts_N)] |= firsts_N == firsts_N[rows_M, None]
    hidden_MC[torch.arange(len(rows_M), device=rows_M.device), rows_M] = False
    return hidden_MC


@dataclass(frozen=True)
class CoSent:
    """Of any two pairs, the one with the higher score has the higher cosine: log(1 + Σ exp(scale ·
    (cosine of the lower - cosine of the higher))).

    Only the order of scores counts, so that they may have any range (Su 2022, CoSENT).
    """

    scale: float = 20.0

    takes_scores: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _require_positive(self.scale)

    def __call__(self, vectors_SNE: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of the batch; `targets` are scores (N)."""
        return misordered(self.scale * _cosines(vectors_SNE), targets)

    def losses(self, vectors_SNE: Tensor, targets: Tensor) -> Tensor:
        """Return how far each pair is from its place, as a share of all places, (N)."""
        return misplaced(_cosines(vectors_SNE), targets)


@dataclass(frozen=True)
class Angle:
    """As `CoSent`, of angles in a complex plane in the place of cosines, whose gradient does not
    vanish where cosines are near 1 (Li & Li 2023, AnglE, as its authors compute it).
    """

    scale: float = 20.0

    takes_scores: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _require_positive(self.scale)

    def __call__(self, vectors_SNE: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of the batch; `targets` are scores (N)."""
        return misordered(self.scale * self._nearness(vectors_SNE), targets)

    def losses(self, vectors_SNE: Tensor, targets: Tensor) -> Tensor:
        """Return how far each pair is from its place, as a share of all places, (N)."""
        return misplaced(self._nearness(vectors_SNE), targets)

    def _nearness(self, vectors_SNE: Tensor) -> Tensor:
        texts_NE, pairs_NE = _unit(pad(vectors_SNE, (0, vectors_SNE.shape[-1] % 2)))
        (real, imaginary), (other, opposite) = texts_NE.chunk(2, 1), pairs_NE.chunk(2, 1)
        sines_N = (imaginary * other - real * opposite).sum(1)
        return ((texts_NE * pairs_NE).sum(1) + sines_N).abs()


@dataclass(frozen=True)
class SquaredCosine:
    """The squared difference of a pair's cosine and its score, which is stretched from `low` to
    `high` to 0 to 1 (Reimers & Gurevych 2019, section 3).
    """

    low: float = 0.0
    high: float = 1.0

    takes_scores: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise RecipeError(f"low={self.low} must lie below high={self.high}")

    def __call__(self, vectors_SNE: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of an average row; `targets` are scores (N)."""
        return self.losses(vectors_SNE, targets).mean()

    def losses(self, vectors_SNE: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each row, (N)."""
        wanted_N = (targets - self.low) / (self.high - self.low)
        return (_cosines(vectors_SNE) - wanted_N).square()


def misordered(nearness_N: Tensor, scores_N: Tensor) -> Tensor:
    """Return log(1 + Σ exp(nearness of i - nearness of j)) over all i, j whose score is higher.

    In N log N: of each row only the sum over the rows above it is needed.
    """
    scores_N, order_N = scores_N.sort()
    nearness_N = nearness_N[order_N]
    above_N = (-nearness_N).flip(0).logcumsumexp(0).flip(0)
    above_N = pad(above_N, (0, 1), value=-torch.inf)
    higher_N = torch.searchsorted(scores_N, scores_N, right=True)
    return pad(nearness_N + above_N[higher_N], (1, 0)).logsumexp(0)


def misplaced(nearness_N: Tensor, scores_N: Tensor) -> Tensor:
    """Return how far each row's rank by nearness is from its rank by score, as a share, (N)."""
    return (_ranks(nearness_N) - _ranks(scores_N)).abs() / len(scores_N)


def _ranks(values_N: Tensor) -> Tensor:
    """Return the rank of each value, of equal ones their mean rank, (N)."""
    sorted_N = values_N.sort().values.contiguous()
    first, last = (torch.searchsorted(sorted_N, values_N, right=end) for end in (False, True))
    return (first + last).double() / 2


def _cosines(vectors_SNE: Tensor) -> Tensor:
    """Return the cosine of each row's text and pair, (N)."""
    texts_NE, pairs_NE = _unit(vectors_SNE)
    return (texts_NE * pairs_NE).sum(1)


def _unit(vectors_SNE: Tensor) -> Tensor:
    """Return vectors of length 1, in float32: cosines are multiplied by much."""
    return normalize(vectors_SNE.float(), dim=-1)


def _require_positive(scale: float) -> None:
    if not scale > 0:
        raise RecipeError(f"scale={scale} must be above 0, such as 20: one over the temperature")
