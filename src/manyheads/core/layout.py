"""Layout: where each sequence lies in a ragged batch.

A batch is its sequences laid end to end: hidden states have shape (T, D) and token t belongs to
the sequence whose offsets enclose t. There is no padding, so nothing outside attention knows of
sequences.

    lengths (3, 3, 5)     tokens  a0 a1 a2 b0 b1 b2 c0 c1 c2 c3 c4
                          offsets 0        3        6              11
                          runs    [a b] as (2, 3, D)    [c] as (1, 5, D): zero-copy dense views
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cached_property
from itertools import accumulate, groupby
from typing import TypeVar, cast

import torch
from torch import Tensor

from manyheads.errors import LayoutError

Value = TypeVar("Value")

# What a layout keeps may first be asked for in inference mode and later by a training step, which
# refuses tensors made in that mode.
_for_training_too = torch.inference_mode(False)


class Run:
    """Neighbouring sequences of equal length: `count` of them, from token `start` on."""

    __slots__ = ("count", "length", "start")

    def __init__(self, start: int, count: int, length: int) -> None:
        self.start, self.count, self.length = start, count, length

    @property
    def tokens(self) -> int:
        """How many tokens the run holds."""
        return self.count * self.length

    @property
    def stop(self) -> int:
        """The token after the last one of the run."""
        return self.start + self.tokens

    def view(self, tensor_T: Tensor) -> Tensor:
        """Return the run's tokens as a dense view: (T, …) → (count, length, …), without a copy."""
        return tensor_T[self.start : self.stop].unflatten(0, (self.count, self.length))


class Layout:
    """The lengths of a batch's sequences, in their order, and everything that follows from them.

    Where sequences go on that a `Cache` holds the beginnings of, `past` says how many tokens of
    each came before. Where a model tells global tokens from others (Longformer), `global_tokens`
    says how many of each sequence's first tokens are, such as those of a question; without it the
    model's own number holds. Immutable. Tensors are made when first asked for, on `device`, and
    kept.
    Raises `LayoutError` for an empty batch, a length below 1, or more global tokens than tokens.
    """

    def __init__(
        self,
        lengths: Iterable[int],
        device: torch.device | str = "cpu",
        past: Iterable[int] | None = None,
        global_tokens: Iterable[int] | None = None,
    ) -> None:
        self.lengths: tuple[int, ...] = tuple(lengths)
        self.past: tuple[int, ...] = (0,) * len(self.lengths) if past is None else tuple(past)
        assert len(self.past) == len(self.lengths)
        self.global_tokens = None if global_tokens is None else tuple(global_tokens)
        self.device = torch.device(device)
        self._derived: dict[Hashable, object] = {}
        if not self.lengths:
            raise LayoutError("a batch of 0 sequences has no layout; give at least 1 sequence")
        if min(self.lengths) < 1:
            at = next(i for i, length in enumerate(self.lengths) if length < 1)
            raise LayoutError(
                f"sequence {at} has length {self.lengths[at]}; a sequence holds at least 1 token"
            )
        if self.global_tokens is not None:
            _check_global_tokens(self.global_tokens, self.keys.lengths)

    @classmethod
    def flatten(
        cls, sequences: Sequence[Sequence[int]], device: torch.device | str = "cpu"
    ) -> tuple[Tensor, Layout]:
        """Lay sequences of ids end to end: return ids (T) on `device` and their layout."""
        layout = cls((len(sequence) for sequence in sequences), device)
        ids_T = torch.tensor([i for sequence in sequences for i in sequence], device=device)
        return ids_T, layout

    def __len__(self) -> int:
        return len(self.lengths)

    def __repr__(self) -> str:
        return f"Layout({len(self)} sequences, {self.tokens} tokens, longest {self.longest})"

    def to(self, device: torch.device | str) -> Layout:
        """Return the same layout with its tensors on `device`."""
        same = torch.device(device) == self.device
        return self if same else Layout(self.lengths, device, self.past, self.global_tokens)

    @cached_property
    def keys(self) -> Layout:
        """The layout of all that these tokens may attend to: what came before, and themselves."""
        if not any(self.past):
            return self
        lengths = (p + n for p, n in zip(self.past, self.lengths, strict=True))
        return Layout(lengths, self.device, global_tokens=self.global_tokens)

    @cached_property
    def tokens(self) -> int:
        """T, the tokens of the whole batch."""
        return sum(self.lengths)

    @cached_property
    def longest(self) -> int:
        """L, the length of the longest sequence."""
        return max(self.lengths)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The first token of each sequence."""
        return (0, *accumulate(self.lengths[:-1]))

    @cached_property
    @_for_training_too
    def offsets(self) -> Tensor:
        """(B + 1): the first token of each sequence, and T at the end."""
        return torch.tensor((*self.starts, self.tokens), device=self.device)

    @cached_property
    @_for_training_too
    def owners(self) -> Tensor:
        """(T): the number of the sequence that each token belongs to."""
        lengths = torch.tensor(self.lengths, device=self.device)
        return torch.arange(len(self), device=self.device).repeat_interleave(lengths)

    @cached_property
    @_for_training_too
    def positions(self) -> Tensor:
        """(T): the position of each token in its own sequence, from 0."""
        within = torch.arange(self.tokens, device=self.device) - self.offsets[self.owners]
        if not any(self.past):
            return within
        return within + torch.tensor(self.past, device=self.device)[self.owners]

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Maximal runs of neighbours with equal length; together they cover every token once."""
        runs: list[Run] = []
        start = 0
        for length, group in groupby(self.lengths):
            runs.append(Run(start, sum(1 for _ in group), length))
            start = runs[-1].stop
        return tuple(runs)

    @cached_property
    @_for_training_too
    def slots(self) -> Tensor:
        """(T): where each token stands in a padded (B·L) grid; only attention may use it."""
        within = torch.arange(self.tokens, device=self.device) - self.offsets[self.owners]
        return self.owners * self.longest + within

    def check(self, tensor_T: Tensor, name: str) -> None:
        """Raise `LayoutError` unless the tensor's first dimension is this layout's T."""
        if tensor_T.shape[0] != self.tokens:
            raise LayoutError(
                f"{name} holds {tensor_T.shape[0]} tokens but its layout says {self.tokens}; "
                "give both from the same batch"
            )

    def derive(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return `make()`, computed once for this layout and key: what every layer needs again."""
        if key not in self._derived:
            self._derived[key] = _for_training_too(make)()
        return cast(Value, self._derived[key])


def _check_global_tokens(counts: tuple[int, ...], lengths: tuple[int, ...]) -> None:
    if len(counts) != len(lengths):
        raise LayoutError(
            f"global_tokens has {len(counts)} numbers for {len(lengths)} sequences; give one each"
        )
    for at, (count, length) in enumerate(zip(counts, lengths, strict=True)):
        if not 0 <= count <= length:
            raise LayoutError(
                f"sequence {at} has {length} tokens and cannot have {count} global ones; "
                f"choose a number from 0 to {length}"
            )
