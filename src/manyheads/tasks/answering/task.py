"""Extractive question answering: the answer is a part of the context (Rajpurkar et al. 2016).

question, context ── QuestionReader ─→ windows ── collate ─→ WindowBatch ── AnswerModel ─→ (P, 2)
                                    outputs of all windows of a row ── best_spans ─→ candidates
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from manyheads.core.head import SequenceHead
from manyheads.core.initialize import initialize
from manyheads.errors import DataError, RecipeError
from manyheads.hub import Pretrained
from manyheads.tasks.answering.answers import Answers, answer_scores, answers_of_rows, compared
from manyheads.tasks.answering.baseline import NEAREST_SENTENCE, nearest_sentences
from manyheads.tasks.answering.model import AnswerModel, log_softmax
from manyheads.tasks.answering.samples import QuestionReader, Window, WindowBatch
from manyheads.tasks.answering.spans import Candidate, best_spans
from manyheads.tasks.answering.threshold import best_threshold
from manyheads.tasks.augment import hidden_ids
from manyheads.tasks.labels import Describe, labels_of
from manyheads.tasks.metrics import Scores
from manyheads.tasks.reader import Reader, cleaned
from manyheads.tasks.task import Columns, Judgement, Loss, Noise, Reading, Run
from manyheads.text import Cleaning, Windows

_OUTPUTS = 2
_STRIDE = 128  # tokens that two windows of a context share, as BERT had it


@dataclass(frozen=True)
class Answering:
    """The part of a context that answers a question: two softmaxes over its tokens.

    The columns hold the question (text), its context (pair) and the answers (label). A context that
    is longer than the model reads is read in windows. Where training questions have no answer, the
    model may say that there is none: when that is more likely by `threshold`, in log-probability,
    than the best answer. It is chosen after training, on the validation split. An answer has at
    most `longest` tokens.
    """

    longest: int = 30
    may_refuse: bool = False
    threshold: float = 0.0

    name = "answering"
    metric = "f1"

    def __post_init__(self) -> None:
        if self.longest < 1:
            raise RecipeError(f"longest={self.longest} allows no answer; choose at least 1 token")

    def fit_to(self, columns: Columns, describe: Describe) -> Self:
        """Find out whether all questions have an answer; raises `DataError` where none has."""
        rows = _rows(columns, describe)
        if not any(row.texts for row in rows):
            raise DataError("no training question has an answer; name the right column of answers")
        return replace(self, may_refuse=self.may_refuse or not all(row.texts for row in rows))

    def check(self, columns: Columns, describe: Describe) -> None:
        """Raise `DataError` for rows whose answers are none, or not in their context."""
        _rows(columns, describe)

    def corpus(self, columns: Columns) -> Columns:
        """Return the texts that a tokenizer is learnt from: questions and contexts."""
        return columns

    def prepared(self, pretrained: Pretrained) -> Pretrained:
        """Return the model as it is; raises `ConfigError` for a family without such a head."""
        pretrained.family.require_span_head()
        return pretrained

    def model_of(self, pretrained: Pretrained, seed: int = 0) -> AnswerModel:
        """Return the body with the family's head for answers."""
        return AnswerModel(pretrained.transformer, self.head(pretrained, seed))

    def head(self, pretrained: Pretrained, seed: int = 0) -> SequenceHead:
        """Return the family's head, as it was published where it was."""
        format_ = pretrained.family.require_span_head()
        head = SequenceHead(format_.to_spec(pretrained.config), _OUTPUTS)
        initialize(head, seed=seed)
        if pretrained.is_answerer:
            published, _ = format_.rules.to_ours(pretrained.head_weights)
            head.load_state_dict(published, strict=False)
        return head

    def reader(self, pretrained: Pretrained, reading: Reading) -> QuestionReader:
        """Return how questions are read for this model: contexts in windows that overlap."""
        chosen = reading.truncation(pretrained.longest_input)
        if not isinstance(chosen, Windows):
            chosen = Windows(chosen.max_tokens, min(_STRIDE, chosen.max_tokens // 3))
        reading.cleaning.traced("")  # raises where offsets would be lost
        return QuestionReader(Reader(pretrained.require_tokenizer(), reading.cleaning, chosen))

    def read(self, reader: QuestionReader, columns: Columns, describe: Describe) -> list[Window]:
        """Return the windows of a split."""
        answers = _rows(columns, describe)
        return reader.read(columns["text"], columns["pair"], answers)

    def collate(self, samples: Sequence[Window]) -> WindowBatch:
        """Lay windows end to end."""
        return WindowBatch.of(samples)

    def draw(self, samples: Sequence[Window], reader: QuestionReader, noise: Noise) -> WindowBatch:
        """Lay windows end to end, some of their tokens hidden behind the unknown one."""
        unknown = reader.reader.tokenizer.unk_id
        batch = self.collate(samples)
        return replace(batch, ids=hidden_ids(batch.ids, noise.tokens, unknown))

    def loss(self, model: AnswerModel, batch: WindowBatch) -> Loss:
        """Return the loss of a batch, by windows: the mean of that of the start and of the end."""
        log_probs_P2 = log_softmax(model(batch), batch.counts)
        counts = torch.tensor([0, *batch.counts[:-1]], device=log_probs_P2.device)
        at_N2 = counts.cumsum(0)[:, None] + batch.targets
        return Loss(-log_probs_P2.gather(0, at_N2).sum() / _OUTPUTS, float(len(batch)))

    def begin(self, model: AnswerModel, samples: Sequence[Window], run: Run) -> None:
        """Do nothing: a head of two outputs learns within the first updates."""

    def judge(
        self,
        model: AnswerModel,
        reader: QuestionReader,
        samples: Sequence[Window],
        columns: Columns,
        run: Run,
    ) -> Judgement:
        """Compare the best answer to each question with those that are right."""
        rows = _rows(columns, _nameless)
        parts = run.ragged(self.speak(model), samples)
        losses = [0.0] * len(rows)
        for part_P2, window in zip(parts, samples, strict=True):
            start, end = window.target
            losses[window.row] -= float(part_P2[start, 0] + part_P2[end, 1]) / _OUTPUTS
        found = self.candidates(parts, samples, columns["pair"])
        said = [self.choose(one) for one in found]
        return Judgement(
            loss=sum(losses) / max(1, len(samples)),
            scores=answer_scores(rows, [one.text for one in said]),
            rows=range(len(rows)),
            losses=losses,
            prediction=lambda row: said[row].text or str(Answers()),
            expected=lambda row: rows[row],
        )

    @property
    def wanted(self) -> str:
        """Nothing is asked for: without rows held out, no answer is said where it is likeliest."""
        return ""

    @property
    def rule(self) -> str:
        """What was chosen on the validation split, in a line; "" where nothing is."""
        if not self.may_refuse:
            return ""
        return f"no answer is said where it is likelier than the best one by {self.threshold:.3f}"

    def tuned(
        self,
        model: AnswerModel,
        reader: QuestionReader,
        samples: Sequence[Window],
        columns: Columns,
        run: Run,
    ) -> Self:
        """Return the task with the threshold that brings the highest F1 on a split."""
        if not self.may_refuse:
            return self
        parts = run.ragged(self.speak(model), samples)
        margins, answered, refused = [], [], []
        found = self.candidates(parts, samples, columns["pair"])
        for right, candidates in zip(_rows(columns, _nameless), found, strict=True):
            none, best = _rivals(candidates)
            margins.append(none.score - best.score)
            answered.append(compared(right, best.text)[1])
            refused.append(compared(right, none.text)[1])
        chosen = best_threshold(np.array(margins), np.array(answered), np.array(refused))
        return replace(self, threshold=chosen)

    def speak(self, model: AnswerModel) -> Callable[[WindowBatch], Sequence[Tensor]]:
        """Return what gives the log-probabilities (1 + tokens, 2) of each window of a batch."""

        def work(batch: WindowBatch) -> Sequence[Tensor]:
            return log_softmax(model(batch), batch.counts).cpu().split(batch.counts)

        return work

    def candidates(
        self,
        parts: Sequence[Tensor],
        windows: Sequence[Window],
        contexts: Sequence[str],
        n: int = 20,
    ) -> list[list[Candidate]]:
        """Return the likeliest answers of each row; the empty one says that there is none."""
        by_row: list[list[tuple[Window, Tensor]]] = [[] for _ in contexts]
        for part_P2, window in zip(parts, windows, strict=True):
            by_row[window.row].append((window, part_P2))
        return [
            best_spans(context, found, self.longest, n)
            for context, found in zip(contexts, by_row, strict=True)
        ]

    def choose(self, candidates: Sequence[Candidate]) -> Candidate:
        """Return the best answer, or the empty one where it is more likely by the threshold."""
        none, best = _rivals(candidates)
        return none if self.may_refuse and none.score - best.score > self.threshold else best

    def in_training(self) -> Self:
        """Return the task: validations judge as `judge` does."""
        return self

    def rehearsal(self, columns: Columns) -> Scores:
        """Return the scores of two right answers, one of them that there is none."""
        answers = [Answers(("yes",), (0,)), *([Answers()] if self.may_refuse else [])]
        return answer_scores(answers, [one.texts[0] if one.texts else "" for one in answers])

    def baseline(self, train: Columns, columns: Columns, cleaning: Cleaning) -> tuple[str, Scores]:
        """Return how good the sentence is that shares the rarest words with the question."""
        rows, seen = _rows(columns, _nameless), cleaned({"pair": columns["pair"]}, cleaning)
        found = nearest_sentences(columns["text"], seen["pair"])
        return NEAREST_SENTENCE, answer_scores(rows, found)

    def hub_settings(self) -> dict[str, Any]:
        """Return nothing: a published configuration says nothing of such a task."""
        return {}

    def to_json(self) -> dict[str, Any]:
        """Return what a saved predictor keeps of the task."""
        return {
            "longest": self.longest,
            "may_refuse": self.may_refuse,
            "threshold": self.threshold,
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make a task again from `to_json`."""
        return cls(saved["longest"], saved["may_refuse"], saved["threshold"])


def _rivals(candidates: Sequence[Candidate]) -> tuple[Candidate, Candidate]:
    """Return that there is no answer, and the best one; that again where no other is."""
    none = next(one for one in candidates if not one.text)
    return none, next((one for one in candidates if one.text), none)


def _rows(columns: Columns, describe: Describe) -> list[Answers]:
    """Return the answers of each row; raises `DataError` without contexts or answers."""
    if "pair" not in columns:
        raise DataError(
            "the data have no contexts to find answers in; name their column, as in "
            "pair='context' (--pair context)"
        )
    return answers_of_rows(columns["pair"], labels_of(columns), describe)


def _nameless(row: int) -> str:
    return f"row {row + 1}"
