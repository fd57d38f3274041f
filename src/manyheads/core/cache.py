"""What a generation in progress remembers: passed as an argument, never hidden in modules.

Cache     keys and values of the tokens so far, for each layer: (R, G, capacity, K), R sequences
Memory    keys and values of the encoder's output, for each layer: made once for a source, and
          read by all the sequences that continue it
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from manyheads.core.attend import to_grid
from manyheads.core.layout import Layout

_CHUNK = 32  # positions by which capacity grows at least


class KeyValues:
    """One layer's keys and values of R sequences, from position 0 on."""

    def __init__(self) -> None:
        self._keys: Tensor | None = None
        self._values: Tensor | None = None
        self._longest = 0  # positions that hold numbers: what is behind them was never written

    def append(self, k_TGK: Tensor, v_TGK: Tensor, layout: Layout) -> None:
        """Write new tokens behind those of their sequences."""
        longest = layout.keys.longest
        if self._keys is None:
            shape = (len(layout), k_TGK.shape[1], _capacity(longest), k_TGK.shape[2])
            self._keys, self._values = k_TGK.new_empty(shape), v_TGK.new_empty(shape)
        assert self._values is not None
        if longest > self._keys.shape[2]:
            grown = max(_capacity(longest), 3 * self._keys.shape[2] // 2)
            self._keys = _grown(self._keys, grown, self._longest)
            self._values = _grown(self._values, grown, self._longest)
        for grid, new in ((self._keys, k_TGK), (self._values, v_TGK)):
            if len(layout) == layout.tokens and len(set(layout.past)) == 1:
                grid[:, :, layout.past[0]] = new
            else:
                # Shorter sequences must have numbers there: a weight of 0 times NaN is NaN.
                grid[:, :, self._longest : longest] = 0.0
                grid[layout.owners, :, layout.positions] = new
        self._longest = max(self._longest, longest)

    def upto(self, keys: Layout) -> tuple[Tensor, Tensor]:
        """Return keys and values (R, G, L, K) up to the longest sequence."""
        assert self._keys is not None and self._values is not None
        return self._keys[:, :, : keys.longest], self._values[:, :, : keys.longest]

    def select(self, rows: Tensor, longest: int) -> None:
        """Let the sequences be those at `rows`, of which only `longest` tokens matter."""
        self._keys = None if self._keys is None else _selected(self._keys, rows, longest)
        self._values = None if self._values is None else _selected(self._values, rows, longest)
        self._longest = longest

    def join(self, other: KeyValues) -> None:
        """Take in the sequences of another, behind one's own."""
        if self._keys is None or self._values is None or not len(self._keys):
            self._keys, self._values, self._longest = other._keys, other._values, other._longest
        elif other._keys is not None and other._values is not None:
            filled = (self._longest, other._longest)
            self._keys = _joined(self._keys, other._keys, *filled)
            self._values = _joined(self._values, other._values, *filled)
            self._longest = max(filled)


class Cache:
    """Keys and values of R sequences in progress, for every layer of a decoder.

    `lengths` says how many tokens of each are in it. A decoder adds the tokens that it is given.
    """

    def __init__(self, layers: int) -> None:
        self.layers = [KeyValues() for _ in range(layers)]
        self.lengths: tuple[int, ...] = ()
        self._bias: Tensor | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    def next(self, lengths: Sequence[int], device: torch.device | str = "cpu") -> Layout:
        """Return the layout of the next tokens, so many of each sequence."""
        return Layout(lengths, device, past=self.lengths or None)

    def bias(self, longest: int, make: Callable[[int], Tensor | None]) -> Tensor | None:
        """Return the score bias (H, L, L) of as many positions at least, made when they grow."""
        if self._bias is None or self._bias.shape[-1] < longest:
            self._bias = make(_capacity(longest))
        return self._bias

    def advance(self, layout: Layout) -> None:
        """Count the tokens that every layer has been given."""
        assert not self.lengths or layout.past == self.lengths
        self.lengths = layout.keys.lengths

    def select(self, rows: Sequence[int]) -> None:
        """Let the sequences be those at `rows`: in another order, some left out, some repeated."""
        rows = list(rows)
        if rows == list(range(len(self))):
            return
        self.lengths = tuple(self.lengths[row] for row in rows)
        at = torch.tensor(rows, dtype=torch.long)
        for layer in self.layers:
            layer.select(at, max(self.lengths, default=0))

    def cut(self, lengths: Sequence[int]) -> None:
        """Forget the tokens of each sequence beyond a length."""
        assert all(new <= old for new, old in zip(lengths, self.lengths, strict=True))
        self.lengths = tuple(lengths)

    def join(self, other: Cache) -> None:
        """Take in the sequences of another, behind one's own."""
        self.lengths += other.lengths
        for mine, theirs in zip(self.layers, other.layers, strict=True):
            mine.join(theirs)


class Memory:
    """Keys and values of an encoder's output, for every layer of a decoder.

    They are ragged, (S, G, K). A memory that `lasts` is read step after step, and holds them as a
    padded grid, (B, G, L, K).
    """

    def __init__(
        self, layers: Sequence[tuple[Tensor, Tensor]], layout: Layout, lasts: bool = False
    ) -> None:
        self.layout = layout
        self.lasts = lasts
        self.layers = [
            (to_grid(keys, layout), to_grid(values, layout)) if lasts else (keys, values)
            for keys, values in layers
        ]

    def __len__(self) -> int:
        return len(self.layout)

    def select(self, sources: Sequence[int]) -> None:
        """Let the sources of a memory that lasts be these, at least one, in this order."""
        assert self.lasts
        if list(sources) == list(range(len(self))):
            return
        self.layout = Layout([self.layout.lengths[i] for i in sources], self.layout.device)
        at, longest = torch.tensor(sources), self.layout.longest
        self.layers = [
            (_selected(k, at, longest)[:, :, :longest], _selected(v, at, longest)[:, :, :longest])
            for k, v in self.layers
        ]

    def join(self, other: Memory) -> None:
        """Take in the sources of another that lasts, behind one's own."""
        assert self.lasts and other.lasts
        filled = (self.layout.longest, other.layout.longest)
        self.layout = Layout(self.layout.lengths + other.layout.lengths, self.layout.device)
        self.layers = [
            (_joined(k, other_k, *filled), _joined(v, other_v, *filled))
            for (k, v), (other_k, other_v) in zip(self.layers, other.layers, strict=True)
        ]


def _capacity(length: int) -> int:
    return -(-length // _CHUNK) * _CHUNK


def _grown(grid: Tensor, capacity: int, filled: int) -> Tensor:
    wider = grid.new_empty(*grid.shape[:2], capacity, grid.shape[3])
    wider[:, :, :filled] = grid[:, :, :filled]
    return wider


def _selected(grid: Tensor, rows: Tensor, longest: int) -> Tensor:
    """Return rows of a grid; where only few of them move, in the grid itself.

    A grid of which more than half is of no use any more gives its memory back.
    """
    capacity = min(_capacity(longest), grid.shape[2])
    used = len(rows) * grid.shape[1] * capacity * grid.shape[3] * grid.element_size()
    if 2 * used < grid.untyped_storage().nbytes():
        grid = grid[:, :, :capacity]
    elif len(rows) <= len(grid):
        moved = (rows != torch.arange(len(rows))).nonzero().flatten()
        if len(moved) <= len(grid) // 2:
            grid[moved, :, :longest] = grid[rows[moved], :, :longest]
            return grid[: len(rows)]
    chosen = grid.new_empty(len(rows), *grid.shape[1:])
    chosen[:, :, :longest] = grid[rows.to(grid.device), :, :longest]
    return chosen


def _joined(one: Tensor, other: Tensor, filled_one: int, filled_other: int) -> Tensor:
    """Lay rows of two grids together, zeros behind what is filled up to the longer one."""
    R, longest = len(one), max(filled_one, filled_other)
    capacity = max(one.shape[2], other.shape[2])
    grid = one.new_empty(R + len(other), one.shape[1], capacity, one.shape[3])
    for part, own, filled in ((grid[:R], one, filled_one), (grid[R:], other, filled_other)):
        part[:, :, :filled] = own[:, :, :filled]
        part[:, :, filled:longest] = 0.0
    return grid
