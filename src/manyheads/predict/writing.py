"""Predictors that write: a model that reads a text and writes another, or goes on with it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self, overload

from manyheads.generate import Settings as GenerationSettings
from manyheads.hub import Pretrained
from manyheads.hub.generation import write_generation
from manyheads.predict.plain import PlainPredictor
from manyheads.predict.settings import TextSettings
from manyheads.tasks import LanguageModel, PlainModel, TextToText
from manyheads.tasks.writing.task import pair_reader
from manyheads.text import Head
from manyheads.text.several import several
from manyheads.writer import Generator, Wording


class WritingPredictor(PlainPredictor):
    """A trained model that writes: `predictor("a text")`, or a list of texts.

    It writes as its folder says, or as it was judged in training. `generator` can do more: several
    outputs, their scores, streams; it packs the model for CPU.
    """

    wording: Wording = Wording(truncate=True)

    @cached_property
    def generator(self) -> Generator:
        """The model, ready to write; it shares the weights."""
        return Generator(replace(self.pretrained, transformer=self.model.transformer))

    @overload
    def __call__(self, texts: str, wording: Wording | None = ...) -> str: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, texts: Sequence[str], wording: Wording | None = ...) -> list[str]: ...
    def __call__(self, texts, wording=None):  # type: ignore[no-untyped-def]
        """Return what is written for one text, or for each of a list."""
        if isinstance(texts, str):
            return self([texts], wording)[0]
        return self.generator(
            [self.cleaned(text) for text in several(texts)], wording or self.wording
        )

    @abstractmethod
    def cleaned(self, text: str) -> str:
        """Return a text as training saw it."""


class TextWriter(WritingPredictor):
    """A trained encoder-decoder: it reads a text and writes another."""

    search: GenerationSettings | None = None  # of a model that no folder says it of yet

    @classmethod
    def of(cls, task: Any, model: PlainModel, reader: Any, pretrained: Pretrained) -> Self:
        """Return the predictor of a trained model; it is a copy that writes as it was judged."""
        # What the folder said of writing was said of the model as it was before.
        predictor = super().of(task, model, reader, replace(pretrained, folder=None))
        search = task.search or GenerationSettings()
        limit = min(search.max_tokens, reader.target.truncation.max_tokens)
        search = replace(search, max_tokens=limit, min_tokens=min(search.min_tokens, limit))
        predictor.search = search
        predictor.wording = Wording(
            search.strategy,
            max_tokens=search.max_tokens,
            min_tokens=search.min_tokens,
            repetition_penalty=search.repetition_penalty,
            no_repeat_ngram=search.no_repeat_ngram,
            truncate=True,
        )
        return predictor

    def _save(self, folder: Path, pretrained: Pretrained) -> None:
        super()._save(folder, pretrained)
        if self.search is not None:
            write_generation(folder, pretrained, self.search)

    def cleaned(self, text: str) -> str:
        """Return a text as training saw it."""
        cleaned: str = self.reader.source.cleaning(text)
        return cleaned

    @classmethod
    def _reader(cls, settings: TextSettings, pretrained: Pretrained) -> Any:
        target = Head(settings.target_tokens or pretrained.longest_input)
        return pair_reader(pretrained, settings.cleaning, settings.truncation, target)

    def _settings(self) -> TextSettings:
        assert isinstance(self.task, TextToText)
        source, target = self.reader.source, self.reader.target
        limit = target.truncation.max_tokens
        return TextSettings(self.task, source.cleaning, source.truncation, limit)


class TextGenerator(WritingPredictor):
    """A trained decoder: it goes on writing a text."""

    def cleaned(self, text: str) -> str:
        """Return a text as training saw it."""
        cleaned: str = self.reader.cleaning(text)
        return cleaned

    @classmethod
    def _reader(cls, settings: TextSettings, pretrained: Pretrained) -> Any:
        assert isinstance(settings.task, LanguageModel)
        length = settings.truncation.max_tokens
        return settings.task.stream_reader(pretrained, settings.cleaning, length)

    def _settings(self) -> TextSettings:
        return TextSettings(self.task, self.reader.cleaning, Head(self.reader.length))
