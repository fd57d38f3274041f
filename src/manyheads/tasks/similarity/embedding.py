"""Vectors of texts, taught by pairs: texts that belong together, or pairs with a score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from manyheads.core.similarity import Similarity, kept_dimensions
from manyheads.core.spec import Pooling
from manyheads.core.vectors import VectorHead, VectorSpec
from manyheads.errors import DataError, RecipeError
from manyheads.hub import Pretrained
from manyheads.hub.sentences import Sentences, read_sentences
from manyheads.tasks import baseline
from manyheads.tasks.labels import SIDES, Describe, numbers_of, require_whole_pairs
from manyheads.tasks.metrics import Scores
from manyheads.tasks.reader import Reader, cleaned
from manyheads.tasks.similarity.judging import baseline_scores, by_scores, by_search
from manyheads.tasks.similarity.objectives import CoSent, InBatchNegatives, Objective
from manyheads.tasks.similarity.samples import (
    Related,
    RelatedBatch,
    RelatedReader,
    VectorModel,
    targets_of,
)
from manyheads.tasks.similarity.scores import ScoresByLength, ranking_scores, similarity_scores
from manyheads.tasks.task import Columns, Judgement, Loss, Noise, Reading, Run
from manyheads.text import Cleaning

_NO_NUMBER = "correct it, or leave out the column of labels"


@dataclass(frozen=True)
class Embedding:
    """One vector for each text: near for texts that belong together.

    It learns from a text and its pair, with a hard negative if there is a column of them, or from
    pairs with scores of any range.

    Attributes:
        objective: The loss; None for `InBatchNegatives`, or `CoSent` where pairs have scores.
        dimensions: Vectors cut to each of these numbers of dimensions are to be good as well, as
            a Matryoshka doll's (Kusupati et al. 2022): the loss is the mean over them.
        query_prompt, document_prompt: What stands before texts, and before pairs and negatives. It
            is saved as the prompts ``query`` and ``document``. None for the prompts that the model
            has under these names, else its default.
        chunk_tokens: Compute vectors of so many tokens at a time, and again for their gradient, so
            that a batch takes the memory of a chunk (Gao et al. 2021). The gradient is the same, a
            step takes a third longer.
    """

    objective: Objective | None = None
    dimensions: tuple[int, ...] = ()
    query_prompt: str | None = None
    document_prompt: str | None = None
    chunk_tokens: int | None = None

    name = "embedding"

    def __post_init__(self) -> None:
        if self.chunk_tokens is not None and self.chunk_tokens < 1:
            raise RecipeError(f"chunk_tokens={self.chunk_tokens} is below 1; choose such as 4096")
        if not isinstance(self.dimensions, tuple):
            raise RecipeError(f"dimensions={self.dimensions!r} must be a tuple, such as (128, 64)")

    @property
    def metric(self) -> str:
        """The score that chooses the best weights: that of scores, or of a search."""
        return "spearman" if self.objective and self.objective.takes_scores else "ndcg_at_10"

    def fit_to(self, columns: Columns, describe: Describe) -> Self:
        """Choose the objective that the columns are for; raises `DataError` for equal scores."""
        labels = columns.get("label", ())
        if len(labels) > 1 and len(scores := set(map(str, labels))) == 1:
            raise DataError(
                f"all training pairs have the score {scores.pop()}; give scores that differ, or "
                "leave out the column of labels where all pairs belong together"
            )
        return replace(self, objective=self._objective("label" in columns))

    def in_parts(self, tokens: int) -> Self:
        """Return the task with chunks of at most so many tokens: the negatives stay all others."""
        return replace(self, chunk_tokens=min(tokens, self.chunk_tokens or tokens))

    def _objective(self, has_scores: bool) -> Objective:
        return self.objective or (CoSent() if has_scores else InBatchNegatives())

    def check(self, columns: Columns, describe: Describe) -> None:
        """Raise `DataError` for columns or a row that cannot be learnt from."""
        if "pair" not in columns:
            raise DataError(
                f"{describe(0)}: a text stands alone, without one that it belongs to; name the "
                "column of those, as in pair='answer' (--pair answer)"
            )
        require_whole_pairs(columns, describe)
        self._check_scores(columns, describe)

    def _check_scores(self, columns: Columns, describe: Describe) -> None:
        if "label" in columns:
            numbers_of(columns["label"], describe, _NO_NUMBER)
        if "label" in columns and "negative" in columns:
            raise DataError(
                f"{describe(0)} has a score and a negative; negatives are for pairs without scores"
            )
        wanted = self.objective is not None and self.objective.takes_scores
        if self.objective is not None and wanted != ("label" in columns):
            there, remedy = (
                ("no scores", "name their column, as in label='score'")
                if wanted
                else ("scores", "choose CoSent, or leave out the column of labels")
            )
            kind = type(self.objective).__name__
            raise DataError(f"{describe(0)}: pairs have {there} for {kind}; {remedy}")

    def corpus(self, columns: Columns) -> Columns:
        """Return the texts that a tokenizer is learnt from: all of them."""
        return {"text": [text for side in SIDES for text in columns.get(side, ())]}

    def prepared(self, pretrained: Pretrained) -> Pretrained:
        """Return the model; raises `ConfigError` for one that reads no texts."""
        pretrained.require_tokenizer()
        return pretrained

    def model_of(self, pretrained: Pretrained, seed: int = 0) -> VectorModel:
        """Return the body with what its folder says of vectors, else the mean of its tokens.

        Raises `ConfigError` for more dimensions than its vectors have.
        """
        sentences = _sentences_of(pretrained)
        head = VectorHead(sentences.spec, pretrained.transformer.spec.width)
        head.load_state_dict(dict(sentences.tensors))
        for dimensions in self.dimensions:
            kept_dimensions(dimensions, head.width)
        return VectorModel(pretrained.transformer, head)

    def reader(self, pretrained: Pretrained, reading: Reading) -> RelatedReader:
        """Return how texts are read for this model; raises `RecipeError`."""
        if reading.cleaning.html:
            raise RecipeError(
                "a folder of sentence-transformers does not say that texts are cleaned of html; "
                "clean them before, and leave that step out"
            )
        sentences = _sentences_of(pretrained)
        limit = pretrained.longest_input
        if sentences.max_tokens is not None and reading.max_tokens is None:
            reading = replace(reading, max_tokens=min(sentences.max_tokens, limit))
        truncation = reading.truncation(limit)
        reader = Reader(pretrained.require_tokenizer(), reading.cleaning, truncation)
        usual = sentences.prompts
        given = {"query": self.query_prompt, "document": self.document_prompt}
        named = {name: prompt for name, prompt in given.items() if prompt is not None}
        prompts = replace(usual, texts={**usual.texts, **named})
        return RelatedReader(
            reader,
            replace(sentences, prompts=prompts, similarity=Similarity.COSINE),
            query=named.get("query", usual.named(usual.query)),
            document=named.get("document", usual.named(usual.document)),
        )

    def read(self, reader: RelatedReader, columns: Columns, describe: Describe) -> list[Related]:
        """Return the texts of each row."""
        labels = columns.get("label")
        scores = None if labels is None else numbers_of(labels, describe, _NO_NUMBER)
        return reader.read(columns, scores)

    def collate(self, samples: Sequence[Related]) -> RelatedBatch:
        """Lay the texts of rows end to end."""
        return RelatedBatch.of(samples, self.chunk_tokens)

    def draw(self, samples: Sequence[Related], reader: RelatedReader, noise: Noise) -> RelatedBatch:
        """Lay the texts of rows end to end, some of their tokens left out."""
        batch = self.collate(samples)
        if not noise.tokens:
            return batch
        return replace(batch, parts=tuple(part.without_some(noise.tokens) for part in batch.parts))

    def loss(self, model: VectorModel, batch: RelatedBatch) -> Loss:
        """Return the loss of a batch, by rows."""
        mean = self._mean_loss(
            self.vectors(model, batch), batch.targets, self._objective(batch.has_scores)
        )
        return Loss(mean * len(batch), float(len(batch)))

    def vectors(self, model: VectorModel, batch: RelatedBatch) -> Tensor:
        """Return the vectors of all texts, (S, N, E).

        In chunks, what the gradient of a chunk needs is forgotten, and computed again, with the
        same dropout, when the gradient of the loss comes to it: one chunk after the other.
        """
        if not batch.in_chunks or not torch.is_grad_enabled():
            return batch.in_order([model(part) for part in batch.parts])
        return batch.in_order(
            [checkpoint(model, part, use_reentrant=False) for part in batch.parts]
        )

    def _mean_loss(self, vectors_SNE: Tensor, targets: Tensor, objective: Objective) -> Tensor:
        """Return the loss of an average row, as a mean over the lengths of vectors."""
        lengths = self.dimensions or (vectors_SNE.shape[-1],)
        with torch.autocast(vectors_SNE.device.type, enabled=False):  # 16 bits are few for cosines
            losses = [objective(vectors_SNE[..., :length], targets) for length in lengths]
        return torch.stack(losses).mean()

    def begin(self, model: VectorModel, samples: Sequence[Related], run: Run) -> None:
        """Do nothing: every weight is published, or as fresh as the body."""

    def judge(
        self,
        model: VectorModel,
        reader: RelatedReader,
        samples: Sequence[Related],
        columns: Columns,
        run: Run,
    ) -> Judgement:
        """Compare cosines with scores, or search for the pair of each text among all of them."""

        def work(batch: RelatedBatch) -> Tensor:
            return self.vectors(model, batch).transpose(0, 1).float().cpu()

        vectors_SNE = run(work, samples).transpose(0, 1)
        targets, has_scores = targets_of(samples), "label" in columns
        objective = self._objective(has_scores)
        judged, vectors = by_scores if has_scores else by_search, vectors_SNE.numpy()
        loss = float(self._mean_loss(vectors_SNE, targets, objective))
        losses = objective.losses(vectors_SNE, targets).tolist()
        whole = judged(vectors, columns, loss, losses)
        cut = {n: judged(vectors[..., :n], columns, loss, losses).scores for n in self.dimensions}
        return replace(whole, scores=ScoresByLength(whole.scores, cut)) if cut else whole

    def in_training(self) -> Self:
        """Return the task: validations judge as `judge` does."""
        return self

    def rehearsal(self, columns: Columns) -> Scores:
        """Return scores with the names of those that `judge` gives."""
        baseline.require_words()
        scores: Scores = ranking_scores([[0]], [{0}], 1)
        if "label" in columns:
            labels = [float(label) for label in columns["label"]]
            noise = torch.rand(len(labels), generator=torch.Generator().manual_seed(0))
            scores = similarity_scores(labels, noise.tolist())
        cut = dict.fromkeys(self.dimensions, scores)
        return ScoresByLength(scores, cut) if cut else scores

    def baseline(self, train: Columns, columns: Columns, cleaning: Cleaning) -> tuple[str, Scores]:
        """Return what a search by BM25 reaches on a split, or TF-IDF where pairs have scores."""
        known = self.corpus(cleaned(train, cleaning))["text"]
        return baseline_scores(known, cleaned(columns, cleaning))

    def to_json(self) -> dict[str, Any]:
        """Return the settings, for the record of a run: a saved embedder has no task any more."""
        return {
            "objective": type(self.objective).__name__,
            **{name: value for name, value in asdict(self).items() if name != "objective"},
        }


def _sentences_of(pretrained: Pretrained) -> Sentences:
    """Return what the folder of a model says of vectors, else how it was trained to be pooled.

    Raises `ConfigError` for what cannot be computed here.
    """
    folder = pretrained.folder
    published = read_sentences(folder) if folder is not None and folder.is_dir() else None
    return published or Sentences(VectorSpec((pretrained.pooling or Pooling.MEAN,)))
