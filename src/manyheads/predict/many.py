"""The predictor of many heads: all of them answer in one pass of their body."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from manyheads.core.layers import lower_part
from manyheads.errors import ManyHeadsError, TextError, did_you_mean
from manyheads.hub import Pretrained, head_prefix, save_with_heads
from manyheads.predict.answer import Answer
from manyheads.predict.answering import Answerer
from manyheads.predict.fidelity import write_check
from manyheads.predict.folder import save_folder
from manyheads.predict.one_pass import answer_all
from manyheads.predict.sequence import Predictor
from manyheads.predict.settings import ManySettings, TextSettings
from manyheads.predict.tagging import Tagger
from manyheads.tasks import (
    Answering,
    ManyHeads,
    ManyModel,
    Reader,
    SequenceTask,
    Tagging,
)
from manyheads.text.several import several

OfHead = Predictor | Tagger | Answerer


class ManyPredictor:
    """Trained heads on one body: `predictor("a text")` asks all of them, by their names.

    `predictor["topic"]` is the predictor of one head. It shares the body, answers alone, and saves
    a folder of its own.
    """

    def __init__(
        self, predictors: Mapping[str, OfHead], task: ManyHeads, pretrained: Pretrained
    ) -> None:
        self._predictors = dict(predictors)
        self.pretrained = pretrained
        self.task = replace(task, tasks={head: one.task for head, one in predictors.items()})
        models = {head: one.model for head, one in predictors.items()}
        self.model = ManyModel(pretrained.transformer, models).eval()

    @classmethod
    def of(
        cls, task: ManyHeads, model: ManyModel, reader: Mapping[str, Any], pretrained: Pretrained
    ) -> Self:
        """Return the predictor of trained heads; it is a copy."""
        model = copy.deepcopy(model).eval()
        pretrained = replace(pretrained, transformer=model.transformer)
        predictors = {
            head: _kind_of(own).keeping(own, model.of(head), reader[head], pretrained)
            for head, own in task.tasks.items()
        }
        return cls(predictors, task, pretrained)

    @classmethod
    def opened(
        cls,
        settings: ManySettings,
        pretrained: Pretrained,
        device: torch.device | str,
        folder: Path,
    ) -> Self:
        """Return the predictor of a folder that was read; raises `CheckpointError`."""
        task = settings.task
        assert isinstance(task, ManyHeads)
        predictors = {}
        for head, own in task.tasks.items():
            prefix = head_prefix(head)
            weights = {
                name.removeprefix(prefix): tensor
                for name, tensor in pretrained.head_weights.items()
                if name.startswith(prefix)
            }
            part = lower_part(pretrained.transformer, settings.blocks[head])
            read = replace(pretrained, transformer=part, head_weights=weights)
            of_head = TextSettings(own, settings.cleaning, settings.truncations[head])
            predictors[head] = _kind_of(own).opened(of_head, read, device, folder)
        return cls(predictors, task, replace(pretrained, head_weights={}))

    @property
    def heads(self) -> tuple[str, ...]:
        """The names of the heads."""
        return tuple(self._predictors)

    @property
    def reader(self) -> dict[str, Any]:
        """How each head reads texts."""
        return {head: one.reader for head, one in self._predictors.items()}

    @property
    def text_readers(self) -> dict[str, Reader]:
        """How each head makes tokens of texts."""
        return {
            head: reader if isinstance(reader, Reader) else reader.reader
            for head, reader in self.reader.items()
        }

    def __getitem__(self, head: str) -> OfHead:
        """Return the predictor of one head; raises `ManyHeadsError` for one that there is not."""
        if head not in self._predictors:
            raise ManyHeadsError(
                f"there is no head {head!r}.{did_you_mean(head, self.heads)} There is "
                f"{', '.join(self.heads)}"
            )
        return self._predictors[head]

    def __call__(
        self, inputs: str | Sequence[str], pairs: str | Sequence[str] | None = None
    ) -> dict[str, Any]:
        """Return what each head says of a text, or of each text of a list; see `answers`."""
        if isinstance(inputs, str):
            alone = None if pairs is None else [str(pairs)]
            found = self.answers([inputs], alone)
            return {head: answers[0].prediction for head, answers in found.items()}
        found = self.answers(inputs, pairs)
        return {head: [one.prediction for one in answers] for head, answers in found.items()}

    def answers(
        self,
        inputs: Sequence[str],
        pairs: str | Sequence[str] | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> dict[str, list[Answer]]:
        """Return the answers of all heads by their names, in the order of the texts.

        Heads that learnt from pairs, such as questions with their contexts, answer where `pairs`
        are given, one for each text or one for all; other heads read the texts alone. `progress` is
        told of every finished batch's number of pieces. Raises `TextError`.
        """
        inputs = several(inputs)
        pairs = [pairs] * len(inputs) if isinstance(pairs, str) else pairs
        chosen = self._chosen(pairs is not None)
        if not inputs:
            return {head: [] for head in chosen}
        asked = {
            head: self[head].asked(inputs, pairs if head in self.task.paired else None)
            for head in chosen
        }
        return answer_all(self.model.transformer, asked, self._blocks(), progress)

    def save(self, folder: str | Path) -> Path:
        """Write body and heads as one folder, which other tools open as the body.

        A folder that is there already is replaced file by file. Raises `CheckpointError` where that
        is not possible; what was there is whole then.
        """
        return save_folder(Path(folder), self._write)

    def check_vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Return what is compared when the heads are opened again: all that they say, (N, 1)."""
        said = [one.check_vectors(texts).reshape(-1, 1) for one in self._predictors.values()]
        return np.concatenate(said)

    def _chosen(self, has_pairs: bool) -> list[str]:
        """Return the heads that can answer; raises `TextError` where none can."""
        chosen = [head for head in self.heads if has_pairs or head not in self.task.paired]
        if not chosen:
            raise TextError(
                f"the heads {', '.join(self.heads)} read pairs of texts, such as a question and "
                "its context; give the second texts too"
            )
        return chosen

    def _blocks(self) -> dict[str, int]:
        stacks = {
            head: one.model.transformer.spec.encoder for head, one in self._predictors.items()
        }
        return {head: len(stack.blocks) for head, stack in stacks.items()}

    def _write(self, folder: Path) -> Mapping[str, Any]:
        family = self.pretrained.family
        heads = {
            head: (one.head_format(family), one.model.head.state_dict())
            for head, one in self._predictors.items()
        }
        body = replace(self.pretrained, transformer=self.model.transformer)
        save_with_heads(folder, body, heads)
        write_check(folder, self.check_vectors)
        readers = self.text_readers
        truncations = {head: one.truncation for head, one in readers.items()}
        cleaning = next(iter(readers.values())).cleaning
        return ManySettings(self.task, cleaning, truncations, self._blocks()).to_json()


def _kind_of(task: Any) -> Any:
    """Return the predictor of a single head."""
    match task:
        case SequenceTask():
            return Predictor
        case Tagging():
            return Tagger
        case Answering():
            return Answerer
    raise AssertionError(task)
