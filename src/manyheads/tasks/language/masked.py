"""Masked language models: hidden tokens are found out from all around them (Devlin et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from manyheads.errors import ConfigError, DataError, RecipeError
from manyheads.hub import Pretrained
from manyheads.hub.masked import with_masked_output
from manyheads.tasks.labels import Describe, require_texts
from manyheads.tasks.language.masking import MaskedBatch, Masking, Passage, PassageReader, Unit
from manyheads.tasks.language.scores import TokenScores
from manyheads.tasks.metrics import Scores
from manyheads.tasks.plain import PlainModel
from manyheads.tasks.reader import Reader
from manyheads.tasks.task import Columns, Judgement, Loss, Noise, Reading, Run
from manyheads.text import Cleaning


@dataclass(frozen=True)
class MaskedLanguageModel:
    """What stands behind the masks of plain text: how an encoder goes on learning from raw text.

    `share` of each text's tokens are chosen anew every time it is read (Liu et al. 2019, section
    4.1), whole `unit` by whole unit. Only they go through the projection to the vocabulary. Judging
    hides the same ones every time.
    """

    share: float = 0.15
    unit: Unit = Unit.TOKENS

    name = "masked-language-model"
    metric = "perplexity"

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise RecipeError(f"share={self.share} is not between 0 and 1; choose such as 0.15")

    def fit_to(self, columns: Columns, describe: Describe) -> Self:
        """Return the task; there is nothing to find out about its data."""
        return self

    def check(self, columns: Columns, describe: Describe) -> None:
        """Raise `DataError` where there is no text at all."""
        require_texts(columns)
        if not any(str(text).strip() for text in columns["text"]):
            raise DataError(f"{describe(0)} and all rows after it hold no text to learn from")

    def corpus(self, columns: Columns) -> Columns:
        """Return the texts that a tokenizer is learnt from: all of them."""
        return columns

    def prepared(self, pretrained: Pretrained) -> Pretrained:
        """Return the model with an output for masked tokens, published where there is one.

        Raises `ConfigError` for a model whose tokenizer has no mask, or that fills none.
        """
        _mask_of(pretrained)
        return with_masked_output(pretrained)

    def model_of(self, pretrained: Pretrained, seed: int = 0) -> PlainModel:
        """Return the encoder with its output."""
        return PlainModel(pretrained.transformer)

    def reader(self, pretrained: Pretrained, reading: Reading) -> PassageReader:
        """Return how texts are read for this model."""
        truncation = reading.truncation(pretrained.longest_input)
        reader = Reader(pretrained.require_tokenizer(), reading.cleaning, truncation)
        return self.passage_reader(reader, pretrained)

    def passage_reader(self, reader: Reader, pretrained: Pretrained) -> PassageReader:
        """Return a reader whose passages know what may hide them.

        Raises `RecipeError` for whole words where the tokenizer knows none, `ConfigError` for a
        tokenizer without a mask.
        """
        tokenizer, mask_id = pretrained.require_tokenizer(), _mask_of(pretrained)
        if self.unit is Unit.WORDS and tokenizer.core.pre_tokenizer is None:
            raise RecipeError(
                "this tokenizer does not split text into words; choose unit=Unit.TOKENS"
            )
        vocabulary = min(tokenizer.vocabulary_size, pretrained.transformer.spec.embed.vocabulary)
        others = np.setdiff1d(np.arange(vocabulary), list(tokenizer.special_ids))
        return PassageReader(reader, Masking(self.share, mask_id, others), self.unit)

    def read(self, reader: PassageReader, columns: Columns, describe: Describe) -> list[Passage]:
        """Return the passages of a split."""
        return [passage for passage in reader.read(columns["text"]) if max(passage.units) >= 0]

    def collate(self, samples: Sequence[Passage]) -> MaskedBatch:
        """Lay passages end to end, the same parts of each hidden every time."""
        return MaskedBatch.of(
            samples, (np.random.default_rng([one.row, one.number]) for one in samples)
        )

    def draw(self, samples: Sequence[Passage], reader: PassageReader, noise: Noise) -> MaskedBatch:
        """Lay passages end to end, other parts of them hidden each time."""
        random = np.random.default_rng(int(torch.randint(2**62, ())))
        return MaskedBatch.of(samples, repeat(random))

    def loss(self, model: PlainModel, batch: MaskedBatch) -> Loss:
        """Return the loss of a batch, by hidden tokens."""
        total = model.transformer.token_loss(self._hidden(model, batch), batch.targets)
        return Loss(total, float(len(batch.targets)))

    def _hidden(self, model: PlainModel, batch: MaskedBatch) -> Tensor:
        """Return the vectors (M, D) of the hidden tokens; the last layer computes no others."""
        return model.transformer.encode(batch.ids, batch.layout, batch.segments, rows=batch.places)

    def begin(self, model: PlainModel, samples: Sequence[Passage], run: Run) -> None:
        """Do nothing: an output that starts fresh learns within the first updates."""

    def judge(
        self,
        model: PlainModel,
        reader: PassageReader,
        samples: Sequence[Passage],
        columns: Columns,
        run: Run,
    ) -> Judgement:
        """Say how well the model finds out the hidden tokens."""

        def work(batch: MaskedBatch) -> Tensor:
            losses, hits = model.transformer.token_losses(self._hidden(model, batch), batch.targets)
            rows = torch.stack((losses, hits.float(), torch.ones_like(losses)), dim=1)
            sums = torch.zeros(len(batch), 3, device=losses.device)
            return sums.index_add_(0, batch.layout.owners[batch.places], rows).cpu()

        sums = run(work, samples).double()
        loss, hits, tokens = sums.sum(0).tolist()
        return Judgement(
            loss=loss / tokens,
            scores=TokenScores.of(loss, hits, int(tokens)),
            rows=[passage.row for passage in samples],
            losses=(sums[:, 0] / sums[:, 2]).tolist(),
            prediction=lambda _: None,
        )

    def in_training(self) -> Self:
        """Return the task: validations judge as `judge` does."""
        return self

    def rehearsal(self, columns: Columns) -> Scores:
        """Return scores with the names of those that `judge` gives."""
        return TokenScores.of(1.0, 1.0, 2)

    def baseline(
        self, train: Columns, columns: Columns, cleaning: Cleaning
    ) -> tuple[str, Scores] | None:
        """Return None: hidden tokens are not found out without a model."""
        return None

    def to_json(self) -> dict[str, Any]:
        """Return what a saved predictor keeps of the task."""
        return {"share": self.share, "unit": self.unit.value}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make a task again from `to_json`."""
        return cls(share=saved["share"], unit=Unit(saved["unit"]))


def _mask_of(pretrained: Pretrained) -> int:
    """Return the id of the mask; raises `ConfigError` for a model whose tokenizer has none."""
    mask_id = pretrained.require_tokenizer().mask_id
    if mask_id is None:
        raise ConfigError(
            "the tokenizer of this model has no mask token; choose a model such as BERT"
        )
    return mask_id
