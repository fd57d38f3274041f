"""Predictors of tasks whose model needs nothing beside its Transformer: it reads, and writes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import torch

from manyheads.hub import Pretrained, save_model
from manyheads.predict.folder import save_folder
from manyheads.predict.settings import Settings
from manyheads.tasks import PairReader, PlainModel, TextToText
from manyheads.tasks.text_to_text import pair_reader
from manyheads.text import Head


class TextWriter:
    """A trained encoder-decoder with its task, saved as a folder that other tools open."""

    def __init__(
        self, model: PlainModel, task: TextToText, reader: PairReader, pretrained: Pretrained
    ) -> None:
        self.model = model.eval()
        self.task = task
        self.reader = reader
        self.pretrained = pretrained

    @classmethod
    def of(
        cls, task: TextToText, model: PlainModel, reader: PairReader, pretrained: Pretrained
    ) -> Self:
        """Return the predictor of a trained model; it is a copy."""
        return cls(copy.deepcopy(model), task, reader, pretrained)

    @classmethod
    def opened(
        cls, settings: Settings, pretrained: Pretrained, device: torch.device | str, folder: Path
    ) -> Self:
        """Return the predictor of a folder that was read."""
        task = settings.task
        assert isinstance(task, TextToText)
        limit = settings.target_tokens or pretrained.longest_input
        reader = pair_reader(pretrained, settings.cleaning, settings.truncation, Head(limit))
        return cls(PlainModel(pretrained.transformer), task, reader, pretrained)

    def save(self, folder: str | Path) -> Path:
        """Write the predictor as a folder; a folder that is there already is replaced file by file.

        Raises `CheckpointError` where that is not possible; what was there is whole then.
        """
        return save_folder(Path(folder), self._write)

    def _write(self, folder: Path) -> Mapping[str, Any]:
        save_model(folder, replace(self.pretrained, transformer=self.model.transformer))
        source, target = self.reader.source, self.reader.target
        return Settings(
            self.task, source.cleaning, source.truncation, target.truncation.max_tokens
        ).to_json()
