"""Predictors of labels and numbers: a model with one row of outputs for each text."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
import torch
from torch import Tensor

from manyheads.core.packed import pack
from manyheads.hub import Pretrained, save_with_sequence_head
from manyheads.hub.load import fill
from manyheads.predict.answer import Answer
from manyheads.predict.fidelity import write_check
from manyheads.predict.folder import save_folder
from manyheads.predict.running import run
from manyheads.predict.settings import Settings
from manyheads.tasks import Example, Reader, SequenceTask, TaskModel


class Predictor:
    """A trained model that answers: `predictor("a text")`, or a list of texts, or of pairs."""

    def __init__(
        self, model: TaskModel, task: SequenceTask, reader: Reader, pretrained: Pretrained
    ) -> None:
        self.model = model.eval()
        self.task = task
        self.reader = reader
        self.pretrained = pretrained
        pack(self.model)

    @classmethod
    def of(
        cls, task: SequenceTask, model: TaskModel, reader: Reader, pretrained: Pretrained
    ) -> Self:
        """Return the predictor of a trained model; it is a copy."""
        model = copy.deepcopy(model).eval()
        return cls(model, task.folded(model.head), reader, pretrained)

    @classmethod
    def opened(
        cls, settings: Settings, pretrained: Pretrained, device: torch.device | str, folder: Path
    ) -> Self:
        """Return the predictor of a folder that was read; raises `CheckpointError`."""
        task = settings.task
        assert isinstance(task, SequenceTask)
        tensors, _ = pretrained.family.require_sequence_head().rules.to_ours(
            pretrained.head_weights
        )
        head = task.head(pretrained)
        fill(head, tensors, device, torch.float32, source=str(folder))
        reader = Reader(pretrained.require_tokenizer(), settings.cleaning, settings.truncation)
        return cls(TaskModel(pretrained.transformer, head), task, reader, pretrained)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the outputs, in the order of `probabilities`."""
        return self.task.labels

    @overload
    def __call__(self, inputs: str, pairs: str | None = None) -> Any: ...
    @overload
    def __call__(self, inputs: Sequence[str], pairs: Sequence[str] | None = None) -> list[Any]: ...
    def __call__(self, inputs, pairs=None):  # type: ignore[no-untyped-def]
        """Return the prediction of one text, or a list of predictions in the order of the texts."""
        if isinstance(inputs, str):
            return self([inputs], None if pairs is None else [pairs])[0]
        return self.task.predict(self.outputs(inputs, pairs)) if len(inputs) else []

    def probabilities(
        self, inputs: Sequence[str], pairs: Sequence[str] | None = None
    ) -> np.ndarray:
        """Return the probability of each label, (N, C), columns in the order of `labels`."""
        if not len(inputs):
            return np.zeros((0, len(self.labels)), dtype=np.float32)
        return self.task.probabilities(self.outputs(inputs, pairs)).numpy()

    def answers(
        self,
        inputs: Sequence[str],
        pairs: Sequence[str] | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> list[Answer]:
        """Return predictions that say how much of each text was cut.

        `progress` is told of every finished batch's number of texts.
        """
        if not len(inputs):
            return []
        examples = self._examples(inputs, pairs)
        outputs = run(self.model, self.task, examples, progress=progress)
        predictions = self.task.predict(outputs)
        return [
            Answer(prediction, example.encoded.dropped)
            for prediction, example in zip(predictions, examples, strict=True)
        ]

    def outputs(self, inputs: Sequence[str], pairs: Sequence[str] | None = None) -> Tensor:
        """Return the raw outputs (N, C)."""
        return run(self.model, self.task, self._examples(inputs, pairs))

    def check_vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Return what is compared when the model is opened again: its outputs (N, C)."""
        return self.outputs(texts).numpy()

    def _examples(self, inputs: Sequence[str], pairs: Sequence[str] | None) -> list[Example]:
        encoded = self.reader.read(inputs, pairs)
        return [Example(row, one) for row, one in enumerate(encoded)]

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
        write_check(folder, self.check_vectors)
        return Settings(self.task, self.reader.cleaning, self.reader.truncation).to_json()
