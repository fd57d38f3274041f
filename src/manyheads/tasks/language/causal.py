"""Causal language models: what comes next, token by token (Bengio et al. 2003)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Self

import torch
from torch import Tensor

from manyheads.errors import ConfigError, DataError, RecipeError
from manyheads.hub import Pretrained
from manyheads.tasks.labels import Describe, require_texts
from manyheads.tasks.language.scores import StreamScores
from manyheads.tasks.language.stream import Block, BlockBatch, StreamReader
from manyheads.tasks.metrics import Scores
from manyheads.tasks.plain import PlainModel
from manyheads.tasks.task import Columns, Judgement, Loss, Noise, Reading, Run
from manyheads.text import Cleaning


@dataclass(frozen=True)
class LanguageModel:
    """The next token of plain text: all rows make one stream, which is cut into blocks.

    A row ends with the token that ends texts, or with `separator`, such as a line end, as text.
    Blocks are as long as the recipe's `max_tokens`, begin elsewhere in every epoch, and together
    foretell each token once an epoch.

    Judging lets no token go without its context: windows as long as a block overlap, so that each
    foretells only `stride` tokens, half a window unless given, with all before them as context.
    """

    separator: str | None = None
    stride: int | None = None

    name = "language-model"
    metric = "perplexity"

    def __post_init__(self) -> None:
        if self.separator == "":
            raise RecipeError(
                "separator='' separates nothing; choose '\\n', or None for the end token"
            )
        if self.stride is not None and self.stride < 1:
            raise RecipeError(f"stride={self.stride} is below 1; choose at least 1")

    def fit_to(self, columns: Columns, describe: Describe) -> Self:
        """Return the task; there is nothing to find out about its data."""
        return self

    def check(self, columns: Columns, describe: Describe) -> None:
        """Raise `DataError` where there is no text at all."""
        require_texts(columns)
        if not any(str(text).strip() for text in columns["text"]):
            raise DataError(f"{describe(0)} and all rows after it hold no text to learn from")

    def corpus(self, columns: Columns) -> Columns:
        """Return the texts that a tokenizer is learnt from: rows, and what separates them."""
        return {"text": [f"{text}{self.separator or ''}" for text in columns["text"]]}

    def prepared(self, pretrained: Pretrained) -> Pretrained:
        """Return the model; raises `ConfigError` for one that does not go on writing a text."""
        spec = pretrained.transformer.spec
        if spec.decoder is None or spec.encoder is not None or spec.output is None:
            raise ConfigError(
                f"a model of the family {pretrained.family.name} does not foretell what comes "
                "next; choose a decoder such as GPT-2 or Llama, or mh.ScratchDecoder()"
            )
        return pretrained

    def model_of(self, pretrained: Pretrained, seed: int = 0) -> PlainModel:
        """Return the decoder as it is: it has all its weights."""
        return PlainModel(pretrained.transformer)

    def reader(self, pretrained: Pretrained, reading: Reading) -> StreamReader:
        """Return how rows are read for this model."""
        length = reading.truncation(pretrained.longest_input).max_tokens
        if self.stride is not None and self.stride > length:
            raise RecipeError(
                f"stride={self.stride} exceeds the {length} tokens of a window (max_tokens); "
                f"choose at most {length}"
            )
        return self.stream_reader(pretrained, reading.cleaning, length)

    def stream_reader(
        self, pretrained: Pretrained, cleaning: Cleaning, length: int
    ) -> StreamReader:
        """Return the reader of blocks of that length.

        Raises `ConfigError` where rows shall end with a token that the model does not have.
        """
        tokenizer = pretrained.require_tokenizer()
        if self.separator is not None:
            framed = tokenizer.encode([self.separator])[0].pieces[0].ids
            end = framed[len(framed) - len(tokenizer.frame[1]) - 1]
        else:
            named = pretrained.config.get("eos_token_id", tokenizer.eos_id)
            end = named[0] if isinstance(named, list) else named
        if end is None:
            raise ConfigError(
                "config.json names no token that ends a text (eos_token_id); add it, or give "
                "LanguageModel a separator such as '\\n'"
            )
        return StreamReader(tokenizer, cleaning, length, end, self.separator)

    def read(self, reader: StreamReader, columns: Columns, describe: Describe) -> list[Block]:
        """Return the blocks of a split."""
        return reader.read(columns["text"]).blocks(reader.length)

    def collate(self, samples: Sequence[Block]) -> BlockBatch:
        """Lay blocks end to end."""
        return BlockBatch.of(samples)

    def draw(self, samples: Sequence[Block], reader: StreamReader, noise: Noise) -> BlockBatch:
        """Lay blocks end to end, all of them shifted by what the epoch says."""
        shift = Random(f"shift {noise.seed} {noise.epoch}").randrange(reader.length)
        return BlockBatch.of(samples, shift)

    def loss(self, model: PlainModel, batch: BlockBatch) -> Loss:
        """Return the loss of a batch, by tokens."""
        hidden_TD = self._hidden(model, batch)
        total = model.transformer.token_loss(hidden_TD, batch.targets)
        return Loss(total, float(len(batch.targets)))

    def _hidden(self, model: PlainModel, batch: BlockBatch) -> Tensor:
        """Return the vectors from which tokens are to be foretold."""
        hidden_TD = model.transformer.decode(batch.ids, batch.layout)
        return hidden_TD if batch.learnt is None else hidden_TD[batch.learnt]

    def begin(self, model: PlainModel, samples: Sequence[Block], run: Run) -> None:
        """Do nothing: no part of the model is new."""

    def judge(
        self,
        model: PlainModel,
        reader: StreamReader,
        samples: Sequence[Block],
        columns: Columns,
        run: Run,
    ) -> Judgement:
        """Say how well the model foretells a stream, with context before every token."""
        stream = samples[0].stream
        stride = self.stride or max(1, reader.length // 2)
        windows = list(stream.windows(reader.length, stride))

        def work(batch: BlockBatch) -> Tensor:
            losses, hits = model.transformer.token_losses(self._hidden(model, batch), batch.targets)
            owners = batch.layout.owners
            owners = owners if batch.learnt is None else owners[batch.learnt]
            sums = torch.zeros(len(batch), 2, device=losses.device)
            return sums.index_add_(0, owners, torch.stack((losses, hits.float()), dim=1)).cpu()

        sums = run(work, windows).double()
        learnt = torch.tensor([window.learnt for window in windows])
        loss, hits = sums.sum(0).tolist()
        return Judgement(
            loss=loss / stream.tokens,
            scores=StreamScores.of_stream(loss, hits, stream),
            rows=[stream.row_of(window.start + window.context) for window in windows],
            losses=(sums[:, 0] / learnt).tolist(),
            prediction=lambda _: None,
        )

    def in_training(self) -> Self:
        """Return the task: validations judge as `judge` does."""
        return self

    def rehearsal(self, columns: Columns) -> Scores:
        """Return scores with the names of those that `judge` gives."""
        return StreamScores(2.0, 0.5, 1, 1.0, 1.0)

    def baseline(
        self, train: Columns, columns: Columns, cleaning: Cleaning
    ) -> tuple[str, Scores] | None:
        """Return None: tokens are not foretold without a model."""
        return None

    def to_json(self) -> dict[str, Any]:
        """Return what a saved predictor keeps of the task."""
        return {"separator": self.separator, "stride": self.stride}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make a task again from `to_json`."""
        return cls(separator=saved["separator"], stride=saved["stride"])
