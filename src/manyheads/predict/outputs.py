"""What predictors of labels and numbers have in common, whatever they read."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import torch

from manyheads.core.head import SequenceHead
from manyheads.core.packed import pack
from manyheads.hub import Pretrained, save_with_sequence_head
from manyheads.hub.load import fill
from manyheads.predict.folder import save_folder
from manyheads.predict.settings import Settings
from manyheads.tasks import HeadModel, OutputTask


class OutputPredictor:
    """A trained model with one row of outputs for each example, saved as others open it."""

    def __init__(self, model: HeadModel, task: Any, reader: Any, pretrained: Pretrained) -> None:
        self.model = model.eval()
        self.task = task
        self.reader = reader
        self.pretrained = pretrained
        pack(self.model)

    @classmethod
    def of(cls, task: OutputTask, model: HeadModel, reader: Any, pretrained: Pretrained) -> Self:
        """Return the predictor of a trained model; it is a copy."""
        model = copy.deepcopy(model).eval()
        return cls(model, task.folded(model.head), reader, pretrained)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the outputs, in the order of `probabilities`."""
        return self.task.labels

    def save(self, folder: str | Path) -> Path:
        """Write the predictor as a folder; a folder that is there already is replaced file by file.

        Raises `CheckpointError` where that is not possible; what was there is whole then.
        """
        return save_folder(Path(folder), self._write)

    def _write(self, folder: Path) -> Mapping[str, Any]:
        save_with_sequence_head(
            folder,
            replace(self.pretrained, transformer=self.model.transformer),
            self.model.head.state_dict(),
            self.task.hub_settings(),
        )
        return self._settings(folder).to_json()

    @abstractmethod
    def _settings(self, folder: Path) -> Settings:
        """Return what the manifest is to say, with what belongs to it written beside it."""


def opened_head(
    task: OutputTask, pretrained: Pretrained, device: torch.device | str, folder: Path
) -> SequenceHead:
    """Return the head of a folder that was read, all of it; raises `CheckpointError`."""
    rules = pretrained.family.require_sequence_head().rules
    tensors, _ = rules.to_ours(pretrained.head_weights)
    head = task.head(pretrained)
    fill(head, tensors, device, torch.float32, source=str(folder))
    return head
