"""Predictors of labels and numbers: a model with one row of outputs for each text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
import torch
from torch import Tensor

from manyheads.core.layout import Layout
from manyheads.core.pooling import pool
from manyheads.core.spec import Pooling
from manyheads.hub import Pretrained
from manyheads.predict.answer import Answer
from manyheads.predict.fidelity import write_check
from manyheads.predict.head import opened_head
from manyheads.predict.one_pass import Asked, Glance
from manyheads.predict.outputs import OutputPredictor
from manyheads.predict.running import run
from manyheads.predict.settings import TextSettings
from manyheads.tasks import Example, Reader, SequenceTask, TaskModel
from manyheads.text.several import several


class LabelsTexts:
    """A model with one row of outputs for each text, and what can be asked of it."""

    model: Any
    task: Any
    reader: Any

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the outputs, in the order of `probabilities`."""
        names: tuple[str, ...] = self.task.labels
        return names

    @overload
    def __call__(self, inputs: str, pairs: str | None = None) -> Any: ...
    @overload
    def __call__(self, inputs: Sequence[str], pairs: Sequence[str] | None = None) -> list[Any]: ...
    def __call__(self, inputs, pairs=None):  # type: ignore[no-untyped-def]
        """Return the prediction of one text, or a list of predictions in the order of the texts."""
        if isinstance(inputs, str):
            return self([inputs], None if pairs is None else [pairs])[0]
        inputs = several(inputs)
        return self.task.predict(self.outputs(inputs, pairs)) if inputs else []

    def probabilities(
        self, inputs: Sequence[str], pairs: Sequence[str] | None = None
    ) -> np.ndarray:
        """Return the probability of each label, (N, C), columns in the order of `labels`."""
        inputs = several(inputs)
        if not inputs:
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
        inputs = several(inputs)
        if not inputs:
            return []
        examples = self._examples(inputs, pairs)
        return self._said(examples, run(self.model, self.task, examples, progress=progress))

    def outputs(self, inputs: Sequence[str], pairs: Sequence[str] | None = None) -> Tensor:
        """Return the raw outputs (N, C)."""
        return run(self.model, self.task, self._examples(inputs, pairs))

    def _said(self, examples: Sequence[Example], outputs_NC: Tensor) -> list[Answer]:
        predictions = self.task.predict(outputs_NC)
        return [
            Answer(prediction, example.encoded.dropped)
            for prediction, example in zip(predictions, examples, strict=True)
        ]

    def _examples(self, inputs: Sequence[str], pairs: Sequence[str] | None) -> list[Example]:
        seconds = pairs if pairs is None else several(pairs, "second texts")
        encoded = self.reader.read(several(inputs), seconds)
        return [Example(row, one) for row, one in enumerate(encoded)]


class Predictor(LabelsTexts, OutputPredictor):
    """A trained model that answers: `predictor("a text")`, or a list of texts, or of pairs."""

    @classmethod
    def opened(
        cls,
        settings: TextSettings,
        pretrained: Pretrained,
        device: torch.device | str,
        folder: Path,
    ) -> Self:
        """Return the predictor of a folder that was read; raises `CheckpointError`."""
        assert isinstance(settings.task, SequenceTask)
        format_ = pretrained.family.require_sequence_head()
        head = opened_head(format_, settings.task, pretrained, device, folder)
        reader = Reader(
            pretrained.require_tokenizer(),
            settings.cleaning,
            settings.truncation,
            settings.paired,
        )
        return cls(TaskModel(pretrained.transformer, head), settings.task, reader, pretrained)

    def asked(self, inputs: Sequence[str], pairs: Sequence[str] | None = None) -> Asked:
        """Return what texts, or pairs, ask of this head where others read them too."""
        examples, pooling = self._examples(inputs, pairs), self.model.head.spec.pooling

        def speak(vectors_ND: Tensor, counts: Sequence[int]) -> Sequence[Tensor]:
            pooled_BD = pool(vectors_ND, Layout(counts, vectors_ND.device), pooling)
            return self.model.head(pooled_BD).float().cpu().split(1)

        def answers(parts: Sequence[Tensor]) -> list[Answer]:
            counts = [len(one.encoded.pieces) for one in examples]
            outputs_NC = torch.stack([one.mean(0) for one in torch.cat(list(parts)).split(counts)])
            return self._said(examples, outputs_NC)

        glances = [
            Glance(piece, (0,) if pooling is Pooling.FIRST else range(len(piece.ids)))
            for one in examples
            for piece in one.encoded.pieces
        ]
        return Asked(glances, speak, answers)

    def check_vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Return what is compared when the model is opened again: its outputs (N, C)."""
        return self.outputs(texts, texts if self.reader.paired else None).numpy()

    def _settings(self, folder: Path) -> TextSettings:
        write_check(folder, self.check_vectors)
        reader = self.reader
        return TextSettings(self.task, reader.cleaning, reader.truncation, paired=reader.paired)
