"""What predictors have in common whose model is a Transformer by itself."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import torch

from manyheads.hub import Pretrained, save_model
from manyheads.predict.folder import save_folder
from manyheads.predict.settings import TextSettings
from manyheads.tasks import PlainModel


class PlainPredictor:
    """A trained Transformer with its task, saved as a folder that other tools open."""

    def __init__(self, model: PlainModel, task: Any, reader: Any, pretrained: Pretrained) -> None:
        self.model = model.eval()
        self.task = task
        self.reader = reader
        self.pretrained = pretrained

    @classmethod
    def of(cls, task: Any, model: PlainModel, reader: Any, pretrained: Pretrained) -> Self:
        """Return the predictor of a trained model; it is a copy."""
        return cls(copy.deepcopy(model), task, reader, pretrained)

    @classmethod
    def opened(
        cls,
        settings: TextSettings,
        pretrained: Pretrained,
        device: torch.device | str,
        folder: Path,
    ) -> Self:
        """Return the predictor of a folder that was read."""
        reader = cls._reader(settings, pretrained)
        return cls(PlainModel(pretrained.transformer), settings.task, reader, pretrained)

    def save(self, folder: str | Path) -> Path:
        """Write the predictor as a folder; a folder that is there already is replaced file by file.

        Raises `CheckpointError` where that is not possible; what was there is whole then.
        """
        return save_folder(Path(folder), self._write)

    def _write(self, folder: Path) -> Mapping[str, Any]:
        self._save(folder, replace(self.pretrained, transformer=self.model.transformer))
        return self._settings().to_json()

    def _save(self, folder: Path, pretrained: Pretrained) -> None:
        save_model(folder, pretrained)

    @classmethod
    @abstractmethod
    def _reader(cls, settings: TextSettings, pretrained: Pretrained) -> Any:
        """Return how texts are read, as the settings say."""

    @abstractmethod
    def _settings(self) -> TextSettings:
        """Return what `_reader` needs to make the reader again."""
