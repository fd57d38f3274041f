"""Relevance: how well a document answers a query, both read together (a cross-encoder)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from manyheads.errors import DataError
from manyheads.hub import Pretrained
from manyheads.tasks import baseline
from manyheads.tasks.classify import MultiLabel
from manyheads.tasks.labels import Describe, numbers_of, require_texts, require_whole_pairs
from manyheads.tasks.outputs import HeadModel
from manyheads.tasks.reader import Reader, cleaned
from manyheads.tasks.regress import Regression, Valued
from manyheads.tasks.sequence import Example, SequenceTask
from manyheads.tasks.similarity.scores import RetrievalScores, ranking_scores
from manyheads.tasks.task import Columns, Judgement, Run
from manyheads.text import Cleaning

TF_IDF = "TF-IDF"


@dataclass(frozen=True)
class Reranking(SequenceTask):
    """How relevant the second text is to the first, a query: one output, from 0 to 1 by sigmoid.

    It learns from a column of relevance (0 and 1, or grades up to `highest`, which is found), or
    from rows of a query, a document that answers it and one that does not (`negative`), by binary
    cross entropy (Nogueira & Cho 2019). It is judged by how it orders the documents of each query.
    """

    labels: tuple[str, ...] = ("relevance",)
    highest: float = 1.0

    name = "reranking"
    metric = "ndcg_at_10"
    problem_type = MultiLabel.problem_type  # one sigmoid, as others compute it

    def is_answered_by(self, pretrained: Pretrained) -> bool:
        """Whether the published last layer has one output that is not in units of its own."""
        config = pretrained.config
        is_value = config.get("problem_type") == Regression.problem_type
        outputs = config.get("id2label") or {}
        return pretrained.is_sequence_classifier and len(outputs) == 1 and not is_value

    def fit_to(self, columns: Columns, describe: Describe) -> Self:
        """Find the highest grade; raises `DataError` where nothing is relevant, or all is."""
        self.check(columns, describe)
        if "label" not in columns:
            return self
        grades = self.targets(columns["label"], describe)
        if min(grades) == max(grades):
            raise DataError(
                f"all {len(grades)} training rows have the relevance {grades[0]:g}; documents that "
                "are relevant and some that are not are needed"
            )
        return replace(self, highest=max(grades))

    def check(self, columns: Columns, describe: Describe) -> None:
        """Raise `DataError` for columns or a row that cannot be learnt from."""
        require_texts(columns)
        if "pair" not in columns:
            raise DataError(
                f"{describe(0)}: a query stands alone, without a document; name the column of "
                "those, as in pair='document' (--pair document)"
            )
        if ("label" in columns) == ("negative" in columns):
            raise DataError(
                f"{describe(0)}: what is relevant? Name a column of relevance, as in label='score' "
                "(--label score), or one of documents that are not, negative='other' (--negative "
                "other), and not both"
            )
        require_whole_pairs(columns, describe)
        if "label" in columns:
            self.targets(columns["label"], describe)

    def targets(self, labels: Sequence[Any], describe: Describe) -> list[float]:
        """Return each relevance as a number from 0 on; raises `DataError` for one that is none."""
        grades = numbers_of(labels, describe, "write 1 for relevant and 0 for not, or grades")
        for row, grade in enumerate(grades):
            if grade < 0:
                raise DataError(f"{describe(row)}: the relevance {grade:g} is below 0, the least")
        return grades

    def read(self, reader: Reader, columns: Columns, describe: Describe) -> list[Example]:
        """Return an example for each document of a query."""
        asked = Asked.of(columns)
        encoded = reader.read(asked.queries, asked.documents)
        samples = zip(asked.rows, encoded, asked.grades, strict=True)
        return [Example(*one) for one in samples]

    def losses(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the binary cross entropy of each document, and weight 1."""
        wanted_N = (targets.float() / self.highest).clamp(max=1.0)
        losses_N = binary_cross_entropy_with_logits(
            outputs.float()[:, 0], wanted_N, reduction="none"
        )
        return losses_N, torch.ones_like(losses_N)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Return the relevance of each document, (N, 1)."""
        return outputs.float().sigmoid()

    def predict(self, outputs: Tensor) -> list[Valued]:
        """Return the relevance of each document."""
        return [Valued(value) for value in self.probabilities(outputs)[:, 0].tolist()]

    def judge(
        self,
        model: HeadModel,
        reader: Reader,
        samples: Sequence[Example],
        columns: Columns,
        run: Run,
    ) -> Judgement:
        """Order the documents of each query by their relevance."""
        outputs = run(lambda batch: model(batch).float().cpu(), samples)
        losses_N = self.losses(outputs, torch.tensor([one.target for one in samples]))[0]
        return Judgement(
            loss=float(losses_N.mean()),
            scores=Asked.of(columns).scores(outputs[:, 0].tolist()),
            rows=[one.row for one in samples],
            losses=losses_N.tolist(),
            prediction=lambda part: self.predict(outputs[part : part + 1])[0],
            expected=lambda part: Valued(samples[part].target / self.highest),
        )

    def rehearsal(self, columns: Columns) -> RetrievalScores:
        """Return the scores of random orders."""
        baseline.require_words()
        asked = Asked.of(columns)
        noise = torch.rand(len(asked.rows), generator=torch.Generator().manual_seed(0))
        return asked.scores(noise.tolist())

    def score(self, labels: Sequence[Any], outputs: Tensor) -> RetrievalScores:
        """Raise `DataError`: without the queries there is nothing to order."""
        raise DataError("relevance is scored by queries; use `judge`")

    def bag_of_words(
        self, seen: Sequence[str], labels: Sequence[Any], asked: Sequence[str], truth: Sequence[Any]
    ) -> RetrievalScores:
        """Raise `DataError`: its baseline orders documents by words, without learning."""
        raise DataError("relevance is compared with TF-IDF; use `baseline`")

    def baseline(
        self, train: Columns, columns: Columns, cleaning: Cleaning
    ) -> tuple[str, RetrievalScores]:
        """Return what cosines of TF-IDF reach on a split, weighted by the training texts."""
        seen = cleaned(train, cleaning)
        known = [text for side in ("text", "pair", "negative") for text in seen.get(side, ())]
        asked = Asked.of(cleaned(columns, cleaning))
        return TF_IDF, asked.scores(baseline.cosines(known, asked.queries, asked.documents))

    def to_json(self) -> dict[str, Any]:
        """Return what a saved predictor keeps of the task."""
        return {"labels": list(self.labels), "highest": self.highest}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make a task again from `to_json`."""
        return cls(tuple(saved["labels"]), saved["highest"])


@dataclass(frozen=True)
class Asked:
    """Queries beside documents: of each the row where they stand, and how relevant it is."""

    rows: list[int]
    queries: list[str]
    documents: list[str]
    grades: list[float]

    @classmethod
    def of(cls, columns: Columns) -> Asked:
        """Make it of columns of relevance, or of documents that are relevant and that are not."""
        queries, documents = list(columns["text"]), list(columns["pair"])
        rows = list(range(len(queries)))
        if "negative" not in columns:
            return cls(rows, queries, documents, [float(one) for one in columns["label"]])
        both = documents + list(columns["negative"])
        return cls(rows * 2, queries * 2, both, [1.0] * len(rows) + [0.0] * len(rows))

    def scores(self, relevance: Sequence[float]) -> RetrievalScores:
        """Score the orders that relevance gives; queries without relevant documents are left out.

        Equal documents of a query count once, as the best of them. Raises `DataError` where no
        query has a relevant document.
        """
        grades: dict[str, dict[int, float]] = defaultdict(dict)
        first: dict[tuple[str, str], int] = {}
        for number, (query, text) in enumerate(zip(self.queries, self.documents, strict=True)):
            place = first.setdefault((query, text), number)
            known = grades[query].get(place, 0.0)
            grades[query][place] = max(known, self.grades[number])
        judged = [one for one in grades.values() if max(one.values()) > 0]
        if not judged:
            raise DataError(
                f"none of {len(grades)} queries has a relevant document; orders cannot be scored"
            )
        rankings = [sorted(one, key=lambda place: -relevance[place]) for one in judged]
        return ranking_scores(rankings, judged, len(self.rows))
