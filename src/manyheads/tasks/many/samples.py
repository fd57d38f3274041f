"""Samples and batches of many heads: each knows whose it is, and no batch mixes them.

columns   head    text            label          a long table: every row says which head learns it
          topic   goal in extra   sports
          names   Anna in Rome    B-PER O B-LOC
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import Any

import torch
from torch import Tensor

from manyheads.errors import DataError
from manyheads.tasks.task import Columns, Minibatch, Run, Sample
from manyheads.text import Encoded


@dataclass(frozen=True, slots=True)
class HeadSample:
    """A sample of one head; `row` is that of the table of all heads."""

    head: str
    row: int
    sample: Any

    @property
    def tokens(self) -> int:
        """How many tokens it adds to a batch."""
        tokens: int = self.sample.tokens
        return tokens

    @property
    def texts(self) -> tuple[Encoded, ...]:
        """The texts that were read for it."""
        texts: tuple[Encoded, ...] = self.sample.texts
        return texts

    def digest(self, seed: int) -> int:
        """Return a checksum of the head and of what it learns, going on from `seed`."""
        digest: int = self.sample.digest(zlib.crc32(self.head.encode(), seed))
        return digest


@dataclass(frozen=True)
class HeadBatch:
    """A batch of one head; `rows` are those of the table of all heads."""

    head: str
    rows: tuple[int, ...]
    batch: Minibatch

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def tokens(self) -> int:
        """T, the tokens of all its sequences."""
        return self.batch.tokens

    def to(self, device: torch.device) -> HeadBatch:
        """Return the batch on another device."""
        return replace(self, batch=self.batch.to(device))


@dataclass(frozen=True)
class HeadRun:
    """A run as one head knows it, with samples and batches of its own."""

    run: Run
    head: str

    def __call__(self, work: Callable[[Any], Tensor], samples: Sequence[Any]) -> Tensor:
        """Return the rows of `work`, (N, …), in the order of the samples."""
        return self.run(lambda batch: work(batch.batch), self._named(samples))

    def ragged(
        self, work: Callable[[Any], Sequence[Tensor]], samples: Sequence[Any]
    ) -> list[Tensor]:
        """Return what `work` gives for each sample, of any length, in the order of the samples."""
        return self.run.ragged(lambda batch: work(batch.batch), self._named(samples))

    def watched(self, doing: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Show how other work goes on."""
        return self.run.watched(f"{doing} ({self.head})", total)

    def _named(self, samples: Sequence[Sample]) -> list[HeadSample]:
        return [HeadSample(self.head, one.row, one) for one in samples]


def rows_by_head(columns: Columns) -> dict[str, list[int]]:
    """Return the rows of each head, heads in the order in which they first appear.

    Raises `DataError` for rows that do not say which head they are for.
    """
    if "head" not in columns:
        raise DataError(
            "these rows do not say which head they are for; give the data by head, as in "
            "{'topic': data} (a heads file, .toml, in the shell)"
        )
    rows: dict[str, list[int]] = {}
    for row, head in enumerate(columns["head"]):
        rows.setdefault(head, []).append(row)
    return rows


def columns_of(columns: Columns, rows: Sequence[int]) -> dict[str, list[Any]]:
    """Return the columns of the rows of one head; second texts only where it has any."""
    found = {
        role: [values[row] for row in rows] for role, values in columns.items() if role != "head"
    }
    return {role: values for role, values in found.items() if role != "pair" or any(values)}


def samples_of(samples: Sequence[HeadSample]) -> dict[str, list[Any]]:
    """Return the samples of each head as it knows them, rows and all, in their order."""
    found: dict[str, list[Any]] = {}
    for one in samples:
        found.setdefault(one.head, []).append(one.sample)
    return found


def interleaved(samples: Mapping[str, Sequence[HeadSample]]) -> list[HeadSample]:
    """Return the samples of all heads in turn: whoever looks at the first ones sees all heads."""
    turns = zip_longest(*samples.values())
    return [one for one in chain.from_iterable(turns) if one is not None]
