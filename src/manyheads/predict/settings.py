"""What a saved predictor knows besides its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manyheads.tasks import Task
from manyheads.text import Cleaning, Truncation


@dataclass(frozen=True)
class Settings:
    """The task; how images are made ready stands in a file of its own."""

    task: Task

    def to_json(self) -> dict[str, Any]:
        """Return what a manifest says of it."""
        return {"task": {"name": self.task.name, **self.task.to_json()}}


@dataclass(frozen=True)
class TextSettings(Settings):
    """The task, and how texts become tokens; `target_tokens` limits what is written.

    `paired` says that the model was trained on pairs of texts alone.
    """

    cleaning: Cleaning
    truncation: Truncation
    target_tokens: int | None = None
    paired: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return what a manifest says of it."""
        paired = {"paired": True} if self.paired else {}
        written = {} if self.target_tokens is None else {"target_tokens": self.target_tokens}
        return {
            **super().to_json(),
            "cleaning": self.cleaning.to_json(),
            "truncation": self.truncation.to_json(),
            **written,
            **paired,
        }


@dataclass(frozen=True)
class ManySettings(Settings):
    """The tasks of many heads; how each cuts texts, and behind how many blocks it reads."""

    cleaning: Cleaning
    truncations: Mapping[str, Truncation]
    blocks: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return what a manifest says of it."""
        return {
            **super().to_json(),
            "cleaning": self.cleaning.to_json(),
            "truncation": {head: one.to_json() for head, one in self.truncations.items()},
            "blocks": dict(self.blocks),
        }
