"""Labels that no model was trained for, known by nothing but their names or descriptions.

    by vectors      the label whose descriptions are nearest to the text
    by entailment   the label of which the text says the most: "This text is about sport."

A label may have several descriptions; what they say is averaged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from manyheads.core.vectors import text_vectors
from manyheads.errors import ConfigError, DataError, TextError
from manyheads.predict.embedding import Embedder
from manyheads.predict.load import load, task_of
from manyheads.predict.sequence import LabelsTexts, Predictor
from manyheads.tasks import Batch, Classification, MultiLabel, Reader, TaskModel
from manyheads.text import Encoded, Head

TEMPLATE = "This text is about {}."
_GAP = "{}"
_SCALE = 20.0  # of cosines, as models of vectors are usually trained

# Names, or for each name one description or several.
Labels = Sequence[str] | Mapping[str, str | Sequence[str]]


class ZeroShot(LabelsTexts):
    """Says which of some labels fits a text best, without being trained for them.

    `judge` is a model of vectors, or a classifier of text pairs that knows ``entailment`` and
    ``contradiction`` (Yin, Hay & Roth 2019). Each description, or name, stands in the gap ``{}``
    of `template`. With `multi_label`, which takes a judge of entailment, any number of labels may
    fit, each by itself.

    Raises `ConfigError` for a judge that cannot do this, `DataError` for too few labels, or a
    template without its gap.
    """

    def __init__(
        self,
        judge: Embedder | Predictor,
        labels: Labels,
        *,
        template: str = TEMPLATE,
        multi_label: bool = False,
    ) -> None:
        described = _described(labels, template)
        if len(described) < 2 and not multi_label:
            raise DataError(f"{len(described)} labels leave no choice; give at least 2")
        kind = MultiLabel if multi_label else Classification
        self.task = kind(labels=tuple(described))
        sizes = [len(descriptions) for descriptions in described.values()]
        sentences = [one for descriptions in described.values() for one in descriptions]
        if isinstance(judge, Embedder):
            if multi_label:
                raise ConfigError(
                    "vectors say which label is nearest, not how many fit; for multi_label "
                    "(--multi-label) choose a classifier of entailment"
                )
            self.model: nn.Module = NearnessModel(judge, sentences, sizes).eval()
            self.reader: EmbedderReader | HypothesisReader = EmbedderReader(judge)
        else:
            entailment, contradiction = _outputs_of(judge)
            against = contradiction if multi_label else None
            self.model = EntailmentModel(judge.model, sizes, entailment, against).eval()
            self.reader = HypothesisReader(judge.reader, tuple(sentences))

    @classmethod
    def open(
        cls,
        reference: str | Path,
        labels: Labels,
        *,
        template: str = TEMPLATE,
        multi_label: bool = False,
        device: torch.device | str = "cpu",
    ) -> Self:
        """Open a folder of sentence-transformers, or a classifier of entailment, as the judge.

        Raises what `load` raises, and what making it raises.
        """
        judge = load(reference, device=device)
        if not isinstance(judge, Embedder | Predictor):
            raise ConfigError(
                f"{reference} is a model for {task_of(judge)}, which cannot judge labels; choose "
                "one of vectors, or a classifier of entailment"
            )
        return cls(judge, labels, template=template, multi_label=multi_label)


@dataclass(frozen=True)
class HypothesisReader:
    """Reads each text beside every hypothesis: an `Encoded` has a piece for each of them.

    Of a text that is too long, the end is cut.
    """

    reader: Reader
    hypotheses: tuple[str, ...]

    def read(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> list[Encoded]:
        """Return the pieces of each text; raises `TextError`."""
        _refuse_pairs(pairs)
        premises, count = self.reader.clean(texts), len(self.hypotheses)
        encoded = self.reader.tokenizer.encode(
            [premise for premise in premises for _ in self.hypotheses],
            [*self.hypotheses] * len(premises),
            truncation=Head(self.reader.truncation.max_tokens),
        )
        return [
            Encoded(
                pieces=tuple(piece for one in beside for piece in one.pieces),
                tokens=max(one.tokens for one in beside),
                dropped=max(one.dropped for one in beside),
            )
            for beside in (encoded[i : i + count] for i in range(0, len(encoded), count))
        ]


@dataclass(frozen=True)
class EmbedderReader:
    """Reads texts as a model of vectors does."""

    embedder: Embedder

    def read(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> list[Encoded]:
        """Return the tokens of each text; raises `TextError`."""
        _refuse_pairs(pairs)
        return self.embedder.read(texts)


class EntailmentModel(TaskModel):
    """How much each label's hypotheses follow from a text; `sizes` says how many each label has.

    That is the output of entailment, less that of `against` where there is one.
    """

    def __init__(
        self, model: TaskModel, sizes: Sequence[int], entailment: int, against: int | None
    ) -> None:
        super().__init__(model.transformer, model.head)
        self.sizes = list(sizes)
        self.entailment = entailment
        self.against = against

    def forward(self, batch: Batch) -> Tensor:
        """Return the outputs (N, C) of a batch's examples, whose pieces are hypotheses."""
        said_BC = self.head(self._pooled(batch))
        follows_B = said_BC[:, self.entailment]
        if self.against is not None:
            follows_B = follows_B - said_BC[:, self.against]
        return _means(follows_B.view(len(batch), -1), self.sizes)


class NearnessModel(nn.Module):
    """How near texts are to the mean vector of each label's descriptions, by cosines."""

    def __init__(
        self, embedder: Embedder, descriptions: Sequence[str], sizes: Sequence[int]
    ) -> None:
        super().__init__()
        self.transformer = embedder.transformer
        self.head = embedder.head
        self.uncounted = embedder.uncounted
        vectors_HE = normalize(torch.from_numpy(embedder(list(descriptions))), dim=-1)
        labels_CE = normalize(_means(vectors_HE.T, sizes).T, dim=-1)
        self.register_buffer("labels", labels_CE.to(self.transformer.device))

    def forward(self, batch: Batch) -> Tensor:
        """Return the scaled cosines (N, C) of a batch's examples; pieces weigh as their tokens."""
        vectors_BE = text_vectors(
            self.transformer, self.head, batch.ids, batch.layout, self.uncounted
        )
        tokens_B1 = batch.layout.offsets.diff()[: len(batch.owners), None]
        sums_NE = vectors_BE.new_zeros(len(batch), vectors_BE.shape[1])
        sums_NE.index_add_(0, batch.owners, vectors_BE * tokens_B1)
        nearness_NC: Tensor = _SCALE * normalize(sums_NE.float(), dim=-1) @ self.labels.T
        return nearness_NC


def _means(values_NH: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the mean over each label's descriptions, (N, C)."""
    return torch.stack([part.mean(dim=1) for part in values_NH.split(list(sizes), dim=1)], dim=1)


def _described(labels: Labels, template: str) -> dict[str, list[str]]:
    """Return, for each label, its descriptions in the gap of the template; raises `DataError`."""
    if _GAP not in template:
        raise DataError(f"template={template!r} has no gap for the label; write {_GAP} into it")
    if isinstance(labels, str):
        raise DataError(f"labels={labels!r} is one text; give a list of labels")
    given = labels if isinstance(labels, Mapping) else {name: name for name in labels}
    if len(given) < len(labels):
        raise DataError("a label is given twice; name each of them once")
    described = {name: [one] if isinstance(one, str) else list(one) for name, one in given.items()}
    for name, descriptions in described.items():
        if not name.strip() or not descriptions or not all(map(str.strip, descriptions)):
            raise DataError(f"the label {name!r} has no description; give it one, or leave it out")
    return {
        name: [template.replace(_GAP, one) for one in descriptions]
        for name, descriptions in described.items()
    }


def _outputs_of(judge: Predictor) -> tuple[int, int]:
    """Return which outputs of a classifier are entailment and contradiction, by their names."""
    names = [name.lower() for name in judge.labels]
    found = {
        kind: [number for number, name in enumerate(names) if name.startswith(kind)]
        for kind in ("entail", "contradict")
    }
    if not isinstance(judge.task, Classification) or any(len(one) != 1 for one in found.values()):
        raise ConfigError(
            f"the classifier knows {', '.join(judge.labels)}, not entailment and contradiction; "
            "choose one of natural language inference, or a model of vectors"
        )
    return found["entail"][0], found["contradict"][0]


def _refuse_pairs(pairs: Sequence[str] | None) -> None:
    if pairs is not None:
        raise TextError("labels without training are for single texts; leave out the pairs")
