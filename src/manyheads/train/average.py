"""The moving average of the weights along a run: steadier than where the run happens to stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """An exponential moving average of all trained weights (Polyak & Juditsky 1992).

    `decay` is the share of the old average that an update keeps. Early in a run it is less, so
    that the weights of the beginning are soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._weights = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self._averages = {n: p.detach().clone() for n, p in self._weights.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after update number `step`, from 1."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(
            list(self._averages.values()), list(self._weights.values()), 1.0 - decay
        )

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the model have the average as its weights, and its own ones back afterwards."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def keep(self) -> None:
        """Leave the average in the model: the run is over."""
        self._exchange()

    def tensors(self) -> dict[str, Tensor]:
        """Return the averages by the names of their weights, for a checkpoint."""
        return dict(self._averages)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        for name, average in self._averages.items():
            average.copy_(tensors[name])

    @torch.no_grad()
    def _exchange(self) -> None:
        for name, weight in self._weights.items():
            mine = self._averages[name]
            weight.data, self._averages[name] = mine, weight.data
