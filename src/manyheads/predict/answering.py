"""The predictor of answers: where in a text a question is answered."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, overload

import numpy as np
import torch
from torch import Tensor

from manyheads.errors import TextError
from manyheads.families import Family
from manyheads.hub import Pretrained, save_with_span_head
from manyheads.predict.answer import Answer
from manyheads.predict.fidelity import write_check
from manyheads.predict.head import HeadPredictor, opened_head
from manyheads.predict.one_pass import Asked, Glance
from manyheads.predict.running import map_ragged
from manyheads.predict.settings import TextSettings
from manyheads.tasks import Answering, AnswerModel, Candidate, QuestionReader, Reader, Window
from manyheads.tasks.answering.model import log_softmax
from manyheads.text.several import several


@dataclass(frozen=True)
class Answered:
    """The answer to a question: `context[start:end]`; the empty text says that there is none.

    `probability` is its share among the likeliest candidates, which are all in `candidates`.
    """

    text: str
    start: int
    end: int
    probability: float
    candidates: tuple[Candidate, ...]

    def __str__(self) -> str:
        return self.text or "(no answer)"


class Answerer(HeadPredictor):
    """A trained model that finds answers: `answerer(question, context)`, or with lists of both.

    Several questions may also be asked about a single context.
    """

    head_format = staticmethod(Family.require_span_head)
    save_model = staticmethod(save_with_span_head)

    @classmethod
    def opened(
        cls,
        settings: TextSettings,
        pretrained: Pretrained,
        device: torch.device | str,
        folder: Path,
    ) -> Self:
        """Return the predictor of a folder that was read; raises `CheckpointError`."""
        task = settings.task
        assert isinstance(task, Answering)
        format_ = pretrained.family.require_span_head()
        head = opened_head(format_, task, pretrained, device, folder)
        reader = Reader(pretrained.require_tokenizer(), settings.cleaning, settings.truncation)
        model = AnswerModel(pretrained.transformer, head)
        return cls(model, task, QuestionReader(reader), pretrained)

    @overload
    def __call__(self, inputs: str, pairs: str) -> Answered: ...
    @overload
    def __call__(self, inputs: Sequence[str], pairs: str | Sequence[str]) -> list[Answered]: ...
    def __call__(self, inputs, pairs):  # type: ignore[no-untyped-def]
        """Return the answer to a question in a context, or to each of several."""
        if isinstance(inputs, str):
            return self([inputs], [pairs])[0]
        inputs = several(inputs, "questions")
        pairs = [pairs] * len(inputs) if isinstance(pairs, str) else pairs
        return [answer.prediction for answer in self.answers(inputs, pairs)]

    def answers(
        self,
        inputs: Sequence[str],
        pairs: Sequence[str] | None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> list[Answer]:
        """Return answers, and how many tokens of question and context the model did not see.

        `progress` is told of every finished batch's number of windows. Raises `TextError` where
        there is not a context for each question.
        """
        inputs, pairs = several(inputs, "questions"), _contexts(pairs)
        if not inputs:
            return []
        parts, windows = self._run(inputs, pairs, progress)
        return self._said(parts, windows, pairs)

    def asked(self, inputs: Sequence[str], pairs: Sequence[str] | None) -> Asked:
        """Return what questions ask of this head where others read them too."""
        contexts = _contexts(pairs)
        windows = self.reader.read(inputs, contexts)

        def speak(vectors_ND: Tensor, counts: Sequence[int]) -> Sequence[Tensor]:
            return log_softmax(self.model.head(vectors_ND), counts).cpu().split(list(counts))

        def answers(parts: Sequence[Tensor]) -> list[Answer]:
            return self._said(parts, windows, contexts)

        glances = [Glance(one.piece, one.places, one.question) for one in windows]
        return Asked(glances, speak, answers)

    def deciding(self, task: Answering) -> Self:
        """Return this predictor with another rule of what is an answer; they share the model."""
        other = copy.copy(self)
        other.task = task
        return other

    def check_vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Return what is compared when the model is opened again: a row for each token (P, 2)."""
        parts, _ = self._run(texts, list(reversed(texts)), lambda _: None)
        return torch.cat(parts).numpy()

    def _settings(self, folder: Path) -> TextSettings:
        write_check(folder, self.check_vectors)
        reader = self.reader.reader
        return TextSettings(self.task, reader.cleaning, reader.truncation)

    def _run(
        self, questions: Sequence[str], contexts: Sequence[str], progress: Callable[[int], None]
    ) -> tuple[list[Tensor], list[Window]]:
        windows = self.reader.read(questions, contexts)
        device, work = self.model.transformer.device, self.task.speak(self.model)
        return map_ragged(work, self.task, windows, device=device, progress=progress), windows

    def _said(
        self, parts: Sequence[Tensor], windows: Sequence[Window], contexts: Sequence[str]
    ) -> list[Answer]:
        dropped = {one.row: one.texts[0].dropped for one in windows if one.texts}
        found = self.task.candidates(parts, windows, contexts)
        return [Answer(self._chosen(one), dropped[row]) for row, one in enumerate(found)]

    def _chosen(self, candidates: Sequence[Candidate]) -> Answered:
        best = self.task.choose(candidates)
        return Answered(best.text, best.start, best.end, best.probability, tuple(candidates))


def _contexts(pairs: Sequence[str] | None) -> Sequence[str]:
    """Return the contexts; raises `TextError` without any."""
    if pairs is None:
        raise TextError(
            "a question is answered in a context; give one for each (--pair COL), or one for all "
            "(--context TEXT)"
        )
    return several(pairs, "contexts")
