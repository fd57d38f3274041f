"""The predictor of tags: which words of a text are names, and of what; or what part of speech."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyheads.errors import TextError
from manyheads.families import Family
from manyheads.hub import Pretrained, save_with_token_head
from manyheads.predict.answer import Answer
from manyheads.predict.fidelity import write_check
from manyheads.predict.head import HeadPredictor, opened_head
from manyheads.predict.one_pass import Asked, Glance
from manyheads.predict.running import map_ragged
from manyheads.predict.settings import TextSettings
from manyheads.tasks import Reader, Stretch, Tagging, TagModel, WordReader
from manyheads.tasks.tagging.path import log_probs_of_words
from manyheads.tasks.task import device_of
from manyheads.text.several import several
from manyheads.text.tag_scheme import chunks_of
from manyheads.text.tagged import Span, Tagged, join_words, split_words


@dataclass(frozen=True)
class Entity:
    """A name in a text: `text[start:end]`, what it is, and how probable that is."""

    start: int
    end: int
    label: str
    text: str
    probability: float

    def __str__(self) -> str:
        return f"{self.label} {self.text!r}"


@dataclass(frozen=True)
class TaggedText:
    """The tags of a text's words, `text[start:end]` for each of `words`, and how probable they are.

    Where tags mark entities, those are in `entities`, by characters of the text as it was given.
    """

    text: str
    words: tuple[Span, ...]
    tags: tuple[str, ...]
    probabilities: tuple[float, ...]
    entities: tuple[Entity, ...]
    finds_entities: bool = True

    @property
    def spans(self) -> tuple[Entity, ...]:
        """Each word with its tag, as an entity of its own."""
        rows = zip(self.words, self.tags, self.probabilities, strict=True)
        return tuple(
            Entity(start, end, tag, self.text[start:end], probability)
            for (start, end), tag, probability in rows
        )

    def __str__(self) -> str:
        if self.finds_entities:
            return ", ".join(map(str, self.entities)) or "(none)"
        pairs = zip(self.words, self.tags, strict=True)
        return " ".join(f"{self.text[start:end]}/{tag}" for (start, end), tag in pairs)


class Tagger(HeadPredictor):
    """A trained model that tags: `tagger("a text")`, or a list of texts, or of lists of words."""

    head_format = staticmethod(Family.require_token_head)
    save_model = staticmethod(save_with_token_head)

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
        assert isinstance(task, Tagging)
        format_ = pretrained.family.require_token_head()
        head = opened_head(format_, task, pretrained, device, folder)
        reader = Reader(pretrained.require_tokenizer(), settings.cleaning, settings.truncation)
        model = TagModel(pretrained.transformer, head)
        return cls(model, task, WordReader(reader, task.alignment), pretrained)

    @property
    def labels(self) -> tuple[str, ...]:
        """The tags, in the order of the model's outputs."""
        return self.task.labels

    @overload
    def __call__(self, inputs: str) -> TaggedText: ...
    @overload
    def __call__(self, inputs: Sequence[str] | Sequence[Sequence[str]]) -> list[TaggedText]: ...
    def __call__(self, inputs):  # type: ignore[no-untyped-def]
        """Return the tags of one text, or of a list of texts, or of lists of words.

        Words of a text are found as `split_words` of `manyheads.text.tagged` does. Raises
        `TextError` for what is neither.
        """
        if isinstance(inputs, str):
            return self([inputs])[0]
        return [answer.prediction for answer in self.answers(inputs)]

    def answers(
        self,
        inputs: Sequence[str | Sequence[str] | Tagged],
        progress: Callable[[int], None] = lambda _: None,
    ) -> list[Answer]:
        """Return the tags of texts, of lists of words, or of texts whose words are marked; nothing
        of them is cut.

        `progress` is told of every finished batch's number of texts, or windows of texts.
        """
        inputs = several(inputs)
        if not inputs:
            return []
        texts, words = _texts_and_words(inputs)
        return self._said(texts, words, self._log_probs(texts, words, progress))

    def asked(
        self, inputs: Sequence[str] | Sequence[Sequence[str]], pairs: Sequence[str] | None = None
    ) -> Asked:
        """Return what texts ask of this head where others read them too.

        Raises `TextError` for pairs.
        """
        if pairs is not None:
            raise TextError("words are tagged in single texts; give no second texts")
        texts, words = _texts_and_words(inputs)
        stretches = self.reader.read(texts, words)

        def speak(vectors_ND: Tensor, counts: Sequence[int]) -> Sequence[Tensor]:
            return self.model.head(vectors_ND).float().log_softmax(dim=-1).cpu().split(list(counts))

        def answers(parts: Sequence[Tensor]) -> list[Answer]:
            return self._said(texts, words, self._by_word(parts, stretches, words))

        return Asked([Glance(one.piece, one.places, 0) for one in stretches], speak, answers)

    def check_vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Return what is compared when the model is opened again: a row for each word (W, C)."""
        texts, words = _texts_and_words(texts)
        return np.concatenate(self._log_probs(texts, words, lambda _: None))

    def _settings(self, folder: Path) -> TextSettings:
        write_check(folder, self.check_vectors)
        reader = self.reader.reader
        return TextSettings(self.task, reader.cleaning, reader.truncation)

    def _log_probs(
        self,
        texts: Sequence[str],
        words: Sequence[Sequence[Span]],
        progress: Callable[[int], None],
    ) -> list[NDArray[np.float32]]:
        stretches = self.reader.read(texts, words)
        device, work = device_of(self.model), self.task.speak(self.model)
        parts = map_ragged(work, self.task, stretches, device=device, progress=progress)
        return self._by_word(parts, stretches, words)

    def _by_word(
        self, parts: Sequence[Tensor], stretches: Sequence[Stretch], words: Sequence[Sequence[Span]]
    ) -> list[NDArray[np.float32]]:
        return log_probs_of_words(parts, stretches, list(map(len, words)), len(self.labels))

    def _said(
        self,
        texts: Sequence[str],
        words: Sequence[Sequence[Span]],
        log_probs: Sequence[NDArray[np.float32]],
    ) -> list[Answer]:
        return [
            Answer(self._tagged(text, spans, one_WC), truncated=0)
            for text, spans, one_WC in zip(texts, words, log_probs, strict=True)
        ]

    def _tagged(
        self, text: str, words: Sequence[Span], log_probs_WC: NDArray[np.float32]
    ) -> TaggedText:
        tags = self.task.decode(log_probs_WC)
        chosen = [self.labels.index(tag) for tag in tags]
        shares = np.exp(log_probs_WC[range(len(words)), chosen])
        entities = [
            Entity(
                words[start][0],
                words[end - 1][1],
                label,
                text[words[start][0] : words[end - 1][1]],
                float(shares[start:end].mean()),
            )
            for start, end, label in chunks_of(tags)
        ]
        return TaggedText(
            text,
            tuple(words),
            tuple(tags),
            tuple(shares.tolist()),
            tuple(entities),
            self.task.finds_entities,
        )


def _texts_and_words(
    inputs: Sequence[str | Sequence[str] | Tagged],
) -> tuple[list[str], list[Sequence[Span]]]:
    """Return each text with the spans of its words, which were given or are found."""
    texts: list[str] = []
    words: list[Sequence[Span]] = []
    for number, one in enumerate(inputs, 1):
        if isinstance(one, str):
            text, spans = one, tuple(split_words(one))
        elif isinstance(one, Tagged):
            text, spans = one.text, one.words
        elif isinstance(one, list | tuple) and all(isinstance(word, str) for word in one):
            text, spans = join_words(one)
        else:
            raise TextError(f"text {number} is {one!r:.80}, which is no text and no list of words")
        texts.append(text)
        words.append(spans)
    return texts, words
