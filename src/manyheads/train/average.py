"""Averages of the weights along a run: steadier than where the run happens to stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from manyheads.train.state import below


class Average:
    """An average of all trained weights, which a model may be lent in the place of its own."""

    def __init__(self, model: nn.Module) -> None:
        self._weights = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self._averages = self._copy()

    def update(self, step: int, ends_epoch: bool = False) -> None:
        """Take in the weights after update number `step`, from 1."""

    def tensors(self) -> dict[str, Tensor]:
        """Return what a checkpoint has to hold."""
        return dict(self._averages)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        for name, average in self._averages.items():
            average.copy_(tensors[name])

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

    def _copy(self) -> dict[str, Tensor]:
        return {n: p.detach().clone() for n, p in self._weights.items()}

    @torch.no_grad()
    def _exchange(self) -> None:
        for name, weight in self._weights.items():
            mine = self._averages[name]
            weight.data, self._averages[name] = mine, weight.data


class WeightAverage(Average):
    """An exponential moving average of all trained weights (Polyak & Juditsky 1992).

    `decay` is the share of the old average that an update keeps. Early in a run it is less, so
    that the weights of the beginning are soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__(model)
        self.decay = decay

    @torch.no_grad()
    def update(self, step: int, ends_epoch: bool = False) -> None:
        """Take in the weights after update number `step`, from 1."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(
            list(self._averages.values()), list(self._weights.values()), 1.0 - decay
        )


class EpochAverage(Average):
    """The mean of the weights at the ends of the last `count` epochs (Vaswani et al. 2017, 6.1)."""

    def __init__(self, model: nn.Module, count: int) -> None:
        super().__init__(model)
        self.count = count
        self._ends: list[dict[str, Tensor]] = []

    def update(self, step: int, ends_epoch: bool = False) -> None:
        """Take in the weights where an epoch ends."""
        if ends_epoch:
            self._ends = [*self._ends, self._copy()][-self.count :]
            self._average()

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights at the ends of epochs, the oldest first."""
        return {
            f"{number}.{name}": tensor
            for number, end in enumerate(self._ends)
            for name, tensor in end.items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        found = [below(f"{number}.", tensors) for number in range(self.count)]
        device = {name: weight.device for name, weight in self._weights.items()}
        self._ends = [{n: t.to(device[n]) for n, t in end.items()} for end in found if end]
        if self._ends:
            self._average()

    @torch.no_grad()
    def _average(self) -> None:
        for name, average in self._averages.items():
            torch.mean(torch.stack([end[name] for end in self._ends]), 0, out=average)
