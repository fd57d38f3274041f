"""What predictors have in common whose model is a Transformer with a head."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import torch

from manyheads.core.head import SequenceHead
from manyheads.core.packed import halve, pack
from manyheads.families import Family, HeadFormat
from manyheads.hub import Pretrained
from manyheads.hub.load import fill
from manyheads.predict.folder import PARTS, save_folder
from manyheads.predict.settings import Settings


class HeadPredictor:
    """A trained model with a head, saved as others open it; or several that answer as one.

    `head_format` says of a family how it publishes such a head, `save_model` writes it.
    """

    head_format: ClassVar[Callable[[Family], HeadFormat]]
    save_model: ClassVar[Callable[..., None]]
    parts: tuple[HeadPredictor, ...] = ()  # of an ensemble, see `ensemble`

    def __init__(self, model: Any, task: Any, reader: Any, pretrained: Pretrained) -> None:
        self.model = model.eval()
        self.task = task
        self.reader = reader
        self.pretrained = pretrained
        pack(self.model)

    @classmethod
    def of(cls, task: Any, model: Any, reader: Any, pretrained: Pretrained) -> Self:
        """Return the predictor of a trained model; it is a copy."""
        return cls.keeping(task, copy.deepcopy(model), reader, pretrained)

    @classmethod
    def keeping(cls, task: Any, model: Any, reader: Any, pretrained: Pretrained) -> Self:
        """Return the predictor of a trained model that nobody else needs: the very weights."""
        return cls(model.eval(), task, reader, pretrained)

    def halved(self) -> Self:
        """Return this predictor with products in bfloat16: nearly the same answers, sooner.

        It saves weights that are rounded so. Raises `ConfigError` where the model is not on a CPU,
        or the processor would be slower for it.
        """
        other = copy.copy(self)
        other.model = copy.deepcopy(self.model)
        halve(other.model)
        return other

    def save(self, folder: str | Path) -> Path:
        """Write the predictor as a folder; a folder that is there already is replaced file by file.

        Parts of an ensemble have folders of their own in it. Raises `CheckpointError` where that is
        not possible; what was there is whole then.
        """
        return save_folder(Path(folder), self._write_parts if self.parts else self._write)

    def save_around(self, folder: str | Path, names: Sequence[str]) -> Path:
        """Write what makes an ensemble of its parts, which stand below `folder` by these names."""
        return save_folder(Path(folder), partial(self._write_around, names))

    def _write_parts(self, folder: Path) -> Mapping[str, Any]:
        names = [f"part-{number}" for number, _ in enumerate(self.parts, 1)]
        for name, part in zip(names, self.parts, strict=True):
            part.save(folder / name)
        return self._write_around(names, folder)

    def _write_around(self, names: Sequence[str], folder: Path) -> Mapping[str, Any]:
        return self._settings(folder).to_json() | {PARTS: list(names)}

    def _write(self, folder: Path) -> Mapping[str, Any]:
        type(self).save_model(
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
    format_: HeadFormat,
    task: Any,
    pretrained: Pretrained,
    device: torch.device | str,
    folder: Path,
) -> SequenceHead:
    """Return the head of a folder that was read, all of it; raises `CheckpointError`."""
    tensors, _ = format_.rules.to_ours(pretrained.head_weights)
    head: SequenceHead = task.head(pretrained)
    fill(head, tensors, device, torch.float32, source=str(folder))
    return head
