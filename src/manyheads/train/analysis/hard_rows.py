"""The rows that a model finds hardest: often those whose label is wrong."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

from manyheads.data import Split
from manyheads.tasks import Judgement


@dataclass(frozen=True)
class HardRow:
    """One row and what the model makes of it, for looking at the worst ones.

    Of tasks that write there is no `prediction`: their models are judged token by token. Of an
    image, `text` is the file.
    """

    loss: float
    where: str
    text: str
    label: Any
    prediction: Any

    def __str__(self) -> str:
        text = self.text if len(self.text) <= 120 else f"{self.text[:119]}…"
        return f"{self.loss:8.4f}  {self.where}  {self.said}  {text!r}"

    @property
    def said(self) -> str:
        """The label, and what was predicted instead where anything was."""
        return str(self.label) if self.prediction is None else f"{self.label} → {self.prediction}"


def expected_of(judgement: Judgement, split: Split, part: int) -> Any:
    """Return what a model should have made of a part of a split, by the part's number."""
    if judgement.expected is not None:
        return judgement.expected(part)
    row = judgement.rows[part]
    role = next((role for role in ("label", "target", "pair") if role in split.columns), None)
    return split.shown(row) if role is None else split.columns[role][row]


def hard_row(judgement: Judgement, split: Split, part: int) -> HardRow:
    """Return one part of a split with all that a person wants to see of it."""
    row = judgement.rows[part]
    return HardRow(
        loss=judgement.losses[part],
        where=split.describe(row),
        text=split.shown(row),
        label=expected_of(judgement, split, part),
        prediction=judgement.prediction(part),
    )


def hardest_rows(judgement: Judgement, split: Split, n: int) -> list[HardRow]:
    """Return the `n` parts with the highest losses, hardest first."""
    losses = judgement.losses
    hardest = heapq.nlargest(n, range(len(losses)), key=losses.__getitem__)
    return [hard_row(judgement, split, part) for part in hardest]
