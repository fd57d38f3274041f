"""Text to text: an encoder reads, a decoder writes (Sutskever et al. 2014; Vaswani et al. 2017).

Training is by teacher forcing: the decoder sees the target's own tokens up to each place and is to
foretell the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Self

import torch
from torch import Tensor

from manyheads.errors import ConfigError, DataError
from manyheads.generate import Settings
from manyheads.hub import Pretrained
from manyheads.hub.direction import directed, names_languages
from manyheads.hub.generation import bounds_of
from manyheads.tasks.labels import Describe
from manyheads.tasks.language.scores import TokenScores
from manyheads.tasks.metrics import Scores
from manyheads.tasks.plain import PlainModel
from manyheads.tasks.reader import Reader, cleaned
from manyheads.tasks.task import Columns, Judgement, Loss, Noise, Reading, Run
from manyheads.tasks.writing.baseline import copy_source, lead_sentence
from manyheads.tasks.writing.samples import Pair, PairBatch, PairReader
from manyheads.tasks.writing.scores import TextMetric, text_scores
from manyheads.tasks.writing.summaries import summary_metrics
from manyheads.tasks.writing.translations import Chrf, translation_metrics
from manyheads.tasks.writing.written import WrittenScores, write
from manyheads.text import Cleaning, Head, Truncation


@dataclass(frozen=True)
class TextToText:
    """A text for each text. `label_smoothing` moves that much probability to the other tokens.

    The loss is the mean over target tokens; a batch counts the tokens of both sides. Where the
    model is judged it writes, as `search` says; None judges it by the tokens of the references
    alone, which is faster; so are validations in training where `write_in_training` is off.
    `language` is that of the targets, for the words that metrics count. A model of several
    languages must be told, in its own codes, which one it is to read and which one to write.
    """

    label_smoothing: float = 0.1
    search: Settings | None = field(default_factory=Settings)
    language: str = "en"
    write_in_training: bool = True
    source_language: str | None = None
    target_language: str | None = None

    name = "text-to-text"

    @property
    def metric(self) -> str:
        """The score that chooses the best weights unless the recipe names another."""
        writes = self.search is not None and self.write_in_training
        return self.metrics()[0].name if writes else "perplexity"

    def metrics(self) -> Sequence[TextMetric]:
        """Return the metrics of what is written, the most telling one first."""
        return (Chrf(), *translation_metrics(self.language)[:1])

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise DataError(f"label_smoothing={self.label_smoothing} is outside 0 to 1")

    def fit_to(self, columns: Columns, describe: Describe) -> Self:
        """Return the task; there is nothing to find out about its data."""
        return self

    def check(self, columns: Columns, describe: Describe) -> None:
        """Raise `DataError` where there are no targets, or one is no text or empty."""
        if "target" not in columns:
            raise DataError(
                "the data have no target column with the texts to write; name it, as in "
                "target='translation'"
            )
        for row, target in enumerate(columns["target"]):
            if not isinstance(target, str) or not target.strip():
                raise DataError(
                    f"{describe(row)} has no text to write ({target!r}); give one or remove the row"
                )

    def corpus(self, columns: Columns) -> Columns:
        """Return the texts that a tokenizer is learnt from: all of them."""
        return columns

    def prepared(self, pretrained: Pretrained) -> Pretrained:
        """Return the model, for one direction where it is for several languages.

        Raises `ConfigError` for a model that does not both read and write, or that must be told its
        languages, `GenerationError` for languages that it does not know.
        """
        spec = pretrained.transformer.spec
        if spec.encoder is None or spec.decoder is None:
            raise ConfigError(
                f"a model of the family {pretrained.family.name} does not turn texts into texts; "
                "choose an encoder-decoder such as BART, T5 or Marian, or mh.ScratchSeq2Seq()"
            )
        if self.source_language is not None or self.target_language is not None:
            return directed(pretrained, self.source_language, self.target_language)
        if names_languages(pretrained):
            raise ConfigError(
                "this model is for several languages; say source_language and target_language "
                "by its own codes, such as en_XX, eng_Latn or en"
            )
        return pretrained

    def model_of(self, pretrained: Pretrained, seed: int = 0) -> PlainModel:
        """Return the encoder-decoder as it is: it has all its weights."""
        return PlainModel(pretrained.transformer)

    def reader(self, pretrained: Pretrained, reading: Reading) -> PairReader:
        """Return how sources and targets are read for this model."""
        limit = pretrained.longest_input
        source, target = reading.truncation(limit), Head(reading.target_tokens(limit))
        return pair_reader(pretrained, reading.cleaning, source, target)

    def read(self, reader: PairReader, columns: Columns, describe: Describe) -> list[Pair]:
        """Return a pair for each row."""
        return reader.read(columns["text"], columns["target"])

    def collate(self, samples: Sequence[Pair]) -> PairBatch:
        """Lay pairs end to end."""
        return PairBatch.of(samples)

    def draw(self, samples: Sequence[Pair], reader: PairReader, noise: Noise) -> PairBatch:
        """Lay pairs end to end, equal lengths beside each other, in other pieces each time."""
        if noise.subwords:
            random = Random(int(torch.randint(2**62, ())))
            samples = [reader.redrawn(pair, noise.subwords, random) for pair in samples]
        return self.collate(sorted(samples, key=lambda pair: (len(pair.read), len(pair.written))))

    def loss(self, model: PlainModel, batch: PairBatch) -> Loss:
        """Return the loss of a batch, by target tokens."""
        total = model.transformer.token_loss(
            self._hidden(model, batch), batch.targets, self.label_smoothing
        )
        return Loss(total, float(batch.layout.tokens))

    def _hidden(self, model: PlainModel, batch: PairBatch) -> Tensor:
        """Return the decoder's vectors (T, D)."""
        transformer = model.transformer
        read_SD = transformer.encode(batch.sources, batch.source_layout)
        memory = transformer.remember(read_SD, batch.source_layout)
        return transformer.decode(batch.inputs, batch.layout, memory)

    def begin(self, model: PlainModel, samples: Sequence[Pair], run: Run) -> None:
        """Do nothing: no part of the model is new."""

    def judge(
        self,
        model: PlainModel,
        reader: PairReader,
        samples: Sequence[Pair],
        columns: Columns,
        run: Run,
    ) -> Judgement:
        """Say how well the model foretells each target, and how good is what it writes."""

        def work(batch: PairBatch) -> Tensor:
            losses_T, hits_T = model.transformer.token_losses(
                self._hidden(model, batch), batch.targets
            )
            sums = torch.zeros(len(batch), 2, device=losses_T.device)
            rows_T2 = torch.stack((losses_T, hits_T.float()), dim=1)
            return sums.index_add_(0, batch.layout.owners, rows_T2).cpu()

        sums = run(work, samples).double()
        lengths = torch.tensor([len(pair.written) for pair in samples])
        tokens = int(lengths.sum())
        loss, hits = sums.sum(0).tolist()
        scores: Scores = TokenScores.of(loss, hits, tokens)
        written: Sequence[str | None] = [None] * len(samples)
        if self.search is not None:
            written = write(model.transformer, reader, samples, self.search, run)
            wanted = [columns["target"][pair.row] for pair in samples]
            scores = WrittenScores(text_scores(wanted, written, self.metrics()), scores)
        return Judgement(
            loss=loss / tokens,
            scores=scores,
            rows=[pair.row for pair in samples],
            losses=(sums[:, 0] / lengths).tolist(),
            prediction=written.__getitem__,
        )

    def in_training(self) -> Self:
        """Return the task, without its search where validations are not to write."""
        return self if self.write_in_training else replace(self, search=None)

    def rehearsal(self, columns: Columns) -> Scores:
        """Return the scores of a model that guesses one token of two, and copies."""
        tokens = TokenScores.of(1.0, 1.0, 2)
        if self.search is None:
            return tokens
        return WrittenScores(text_scores(["a text"], ["a text"], self.metrics()), tokens)

    def baseline(
        self, train: Columns, columns: Columns, cleaning: Cleaning
    ) -> tuple[str, Scores] | None:
        """Return how good the sources are as they stand."""
        return self._beside("copy", copy_source, cleaned(columns, cleaning))

    def _beside(
        self, name: str, simple: Callable[[str], str], columns: Columns
    ) -> tuple[str, Scores] | None:
        """Return the name and the scores of what a function of the source writes."""
        if self.search is None:
            return None
        written = [simple(text) for text in columns["text"]]
        return name, text_scores(columns["target"], written, self.metrics())

    def to_json(self) -> dict[str, Any]:
        """Return what a saved predictor keeps of the task."""
        return {"label_smoothing": self.label_smoothing, "language": self.language}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make a task again from `to_json`."""
        return cls(label_smoothing=saved["label_smoothing"], language=saved.get("language", "en"))


@dataclass(frozen=True)
class Translation(TextToText):
    """A text in one language for a text in another: BLEU, chrF and TER."""

    name = "translation"

    def metrics(self) -> Sequence[TextMetric]:
        """Return the metrics of translations."""
        return translation_metrics(self.language)


@dataclass(frozen=True)
class Summarization(TextToText):
    """A short text for a long one: ROUGE-1, 2 and L, beside the first sentence."""

    name = "summarization"

    def metrics(self) -> Sequence[TextMetric]:
        """Return the metrics of summaries, the longest common parts first."""
        return tuple(reversed(summary_metrics(self.language)))

    def baseline(
        self, train: Columns, columns: Columns, cleaning: Cleaning
    ) -> tuple[str, Scores] | None:
        """Return how good the first sentence of each source is."""
        return self._beside("lead", lead_sentence, cleaned(columns, cleaning))


def pair_reader(
    pretrained: Pretrained, cleaning: Cleaning, source: Truncation, target: Truncation
) -> PairReader:
    """Return the reader of a model's sources and targets, cut as the two policies say.

    Raises `ConfigError` where the model does not say how a text begins and ends.
    """
    return PairReader(
        Reader(pretrained.require_tokenizer(), cleaning, source),
        Reader(pretrained.writing_tokenizer, cleaning, target),
        bounds_of(pretrained),
    )
