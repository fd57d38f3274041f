"""Tagging: what each word of a text is, such as a part of a name (NER) or a verb (POS).

texts, words ── WordReader ─→ stretches ── collate ─→ StretchBatch ── TagModel ─→ outputs (W, C)
                                                         outputs ── best_path ─→ tags ─→ entities
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from manyheads.core.head import SequenceHead
from manyheads.core.initialize import initialize
from manyheads.errors import DataError
from manyheads.hub import Pretrained
from manyheads.tasks import metrics
from manyheads.tasks.augment import hidden_ids
from manyheads.tasks.averaging import mean_of_softmaxes
from manyheads.tasks.labels import Describe, index_labels, label_names, labels_of
from manyheads.tasks.metrics import Scores
from manyheads.tasks.probe import probe
from manyheads.tasks.reader import Reader
from manyheads.tasks.tagging import baseline as gazetteer
from manyheads.tasks.tagging.model import TagModel
from manyheads.tasks.tagging.path import best_path, forbidden, log_probs_of_words
from manyheads.tasks.tagging.samples import Alignment, Stretch, StretchBatch, WordReader
from manyheads.tasks.tagging.scores import entity_scores
from manyheads.tasks.task import Columns, Judgement, Loss, Noise, Reading, Run
from manyheads.text import Cleaning, Windows
from manyheads.text.annotation import tagged_rows
from manyheads.text.tag_scheme import (
    OUTSIDE,
    chunks_of,
    iob2,
    is_entity_tag,
    mark_entities,
    tags_of_types,
)
from manyheads.text.tagged import Tagged

_REHEARSED = 100  # rows


@dataclass(frozen=True)
class Tagging:
    """A tag for each word: softmax and cross entropy, without sequences of tags that mean nothing.

    Tags of all schemes that mark entities (BIO, IOB2, BILOU, BIOES) are read, and learnt as IOB2.
    Other tags, such as parts of speech, are learnt as they are. `labels` are found in the training
    data unless given. Texts that are longer than the model reads are read in windows. Entities
    begin with B- where the task is `strict`; those of models that others publish need not.
    """

    labels: tuple[str, ...] = ()
    alignment: Alignment = Alignment.FIRST
    label_smoothing: float = 0.0
    strict: bool = True

    name = "tagging"

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise DataError(f"label_smoothing={self.label_smoothing} is outside 0 to 1")

    @property
    def metric(self) -> str:
        """F1 of entities, or the accuracy of tags that mark none."""
        return "f1" if self.finds_entities else "accuracy"

    @property
    def finds_entities(self) -> bool:
        """Whether tags mark where entities begin and go on."""
        return mark_entities(self.labels)

    def fit_to(self, columns: Columns, describe: Describe) -> Self:
        """Find the tags; raises `DataError` for rows that are not tagged, or tags of two kinds."""
        rows = tagged_rows(columns["text"], labels_of(columns), describe)
        if self.labels:
            return self
        tags = {tag for row in rows for tag in row.tags}
        if not tags:
            raise DataError("no training text has any tag; name the right column of labels")
        if tags == {OUTSIDE}:
            raise DataError(
                f"all words of the training texts are tagged {OUTSIDE!r}; there is nothing to learn"
            )
        if not mark_entities(tags):
            return replace(self, labels=label_names(tags))
        for number, row in enumerate(rows):
            _refuse_strange(row, describe(number))
        types = {label for row in rows for _, _, label in chunks_of(row.tags)}
        return replace(self, labels=tags_of_types(types))

    def check(self, columns: Columns, describe: Describe) -> None:
        """Raise `DataError` for a row whose tags cannot be learnt."""
        self._targets(self._rows(columns, describe), describe)

    def corpus(self, columns: Columns) -> Columns:
        """Return the texts that a tokenizer is learnt from: all of them."""
        return columns

    def prepared(self, pretrained: Pretrained) -> Pretrained:
        """Return the model as it is; raises `ConfigError` for a family without a head for words."""
        pretrained.family.require_token_head()
        return pretrained

    def model_of(self, pretrained: Pretrained, seed: int = 0) -> TagModel:
        """Return the body with the family's head for tokens."""
        head = self.head(pretrained, seed)
        return TagModel(pretrained.transformer, head, self.is_answered_by(pretrained))

    def head(self, pretrained: Pretrained, seed: int = 0) -> SequenceHead:
        """Return the family's head, with the published layers that mean the same here."""
        format_ = pretrained.family.require_token_head()
        head = SequenceHead(format_.to_spec(pretrained.config), len(self.labels))
        initialize(head, seed=seed)
        if self.is_answered_by(pretrained):
            published, _ = format_.rules.to_ours(pretrained.head_weights)
            head.load_state_dict(published, strict=False)
        return head

    def is_answered_by(self, pretrained: Pretrained) -> bool:
        """Whether the published head answers with these tags, in this order."""
        names = pretrained.config.get("id2label")
        return pretrained.is_token_classifier and names == self.hub_settings()["id2label"]

    def reader(self, pretrained: Pretrained, reading: Reading) -> WordReader:
        """Return how texts are read for this model: in windows, a quarter of each in the next."""
        chosen = reading.truncation(pretrained.longest_input)
        if not isinstance(chosen, Windows):
            chosen = Windows(chosen.max_tokens, chosen.max_tokens // 4)
        reading.cleaning.traced("")  # raises where offsets would be lost
        reader = Reader(pretrained.require_tokenizer(), reading.cleaning, chosen)
        return WordReader(reader, self.alignment)

    def read(self, reader: WordReader, columns: Columns, describe: Describe) -> list[Stretch]:
        """Return the stretches of a split."""
        rows = self._rows(columns, describe)
        words = [row.words for row in rows]
        return reader.read(columns["text"], words, self._targets(rows, describe))

    def collate(self, samples: Sequence[Stretch]) -> StretchBatch:
        """Lay stretches end to end."""
        return StretchBatch.of(samples)

    def draw(self, samples: Sequence[Stretch], reader: WordReader, noise: Noise) -> StretchBatch:
        """Lay stretches end to end, some of their tokens hidden behind the unknown one."""
        unknown = reader.reader.tokenizer.unk_id
        batch = self.collate(samples)
        return replace(batch, ids=hidden_ids(batch.ids, noise.tokens, unknown))

    def loss(self, model: TagModel, batch: StretchBatch) -> Loss:
        """Return the loss of a batch, by words."""
        if batch.targets is None:  # white space alone
            return Loss(model.head.out.bias.sum() * 0.0, 1.0)
        losses_W = self._losses(model(batch), batch.targets)[0]
        return Loss(losses_W.sum(), float(len(losses_W)))

    def begin(self, model: TagModel, samples: Sequence[Stretch], run: Run) -> None:
        """Set a last layer that would start as noise to the best linear reading of the body."""
        if not samples or model.answers:
            return
        model.eval()
        parts = run.ragged(lambda batch: model.features(batch).split(batch.counts), samples)
        targets = torch.tensor([target for one in samples for target in one.targets])
        features_WD = torch.cat(parts)
        probe(model.head.out, features_WD, targets.to(features_WD.device), self._losses)

    def judge(
        self,
        model: TagModel,
        reader: WordReader,
        samples: Sequence[Stretch],
        columns: Columns,
        run: Run,
    ) -> Judgement:
        """Compare the tags that the model gives to each text with its own."""
        rows = self._rows(columns, _nameless)
        targets = self._targets(rows, _nameless)
        parts = run.ragged(self.speak(model), samples)
        counts = [len(row.words) for row in rows]
        log_probs = log_probs_of_words(parts, samples, counts, len(self.labels))
        found = [self._learnable(self.decode(one_WC)) for one_WC in log_probs]
        losses = [
            -float(one_WC[range(len(tags)), tags].sum())
            for one_WC, tags in zip(log_probs, targets, strict=True)
        ]
        return Judgement(
            loss=sum(losses) / max(1, sum(map(len, targets))),
            scores=self._scores([row.tags for row in rows], found),
            rows=range(len(rows)),
            losses=losses,
            prediction=lambda row: _where_they_differ(rows[row], found[row], found[row]),
            expected=lambda row: _where_they_differ(rows[row], found[row], rows[row].tags),
        )

    def speak(self, model: TagModel) -> Callable[[StretchBatch], Sequence[Tensor]]:
        """Return what gives the log-probabilities (W, C) of each stretch of a batch."""

        def work(batch: StretchBatch) -> Sequence[Tensor]:
            return model(batch).float().log_softmax(dim=-1).cpu().split(batch.counts)

        return work

    def averaged(self, outputs: Sequence[Tensor]) -> Tensor:
        """Return the logarithm of the mean of the models' probabilities of each word, (W, C)."""
        return mean_of_softmaxes(outputs)

    def agreed(self, others: Sequence[Self]) -> Self:
        """Return this task: what sequences are allowed is the same for all models."""
        return self

    def decode(self, log_probs_WC: NDArray[np.float32]) -> list[str]:
        """Return the most probable tags of a text, entities whole."""
        if self.finds_entities and self.strict:
            return [self.labels[tag] for tag in best_path(log_probs_WC, self._forbidden)]
        return [self.labels[tag] for tag in log_probs_WC.argmax(axis=1)]

    def in_training(self) -> Self:
        """Return the task: validations judge as `judge` does."""
        return self

    def rehearsal(self, columns: Columns) -> Scores:
        """Return the scores of a model that knows all of a few rows."""
        few = {role: values[:_REHEARSED] for role, values in columns.items()}
        tags = [row.tags for row in self._rows(few, _nameless)]
        return self._scores(tags, tags)

    def baseline(self, train: Columns, columns: Columns, cleaning: Cleaning) -> tuple[str, Scores]:
        """Return what the names, or the words, of the training rows tell of a split."""
        seen, asked = self._rows(train, _nameless), self._rows(columns, _nameless)
        name, guess = (
            (gazetteer.GAZETTEER, gazetteer.by_names)
            if self.finds_entities
            else (gazetteer.COMMONEST_TAG, gazetteer.by_words)
        )
        words = [row.spelled() for row in seen]
        found = guess(words, [row.tags for row in seen], [row.spelled() for row in asked])
        return name, self._scores([row.tags for row in asked], found)

    def to_json(self) -> dict[str, Any]:
        """Return what a saved predictor keeps of the task."""
        return {
            "labels": list(self.labels),
            "alignment": self.alignment.value,
            "strict": self.strict,
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Make a task again from `to_json`."""
        return cls(
            tuple(saved["labels"]), Alignment(saved["alignment"]), strict=saved.get("strict", True)
        )

    def hub_settings(self) -> dict[str, Any]:
        """Return the keys of a published configuration that name the tags."""
        return {
            "id2label": {str(i): name for i, name in enumerate(self.labels)},
            "label2id": {name: i for i, name in enumerate(self.labels)},
        }

    @cached_property
    def _forbidden(self) -> NDArray[np.bool_]:
        return forbidden(self.labels)

    def _rows(self, columns: Columns, describe: Describe) -> list[Tagged]:
        """Return the words and tags of rows, tags of entities as they are learnt."""
        rows = tagged_rows(columns["text"], labels_of(columns), describe)
        if not self.finds_entities:
            return rows
        for number, row in enumerate(rows):
            _refuse_strange(row, describe(number))
        return [replace(row, tags=self._learnable(row.tags)) for row in rows]

    def _learnable(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Return tags as they are learnt: those of entities in IOB2, others as they are."""
        return tuple(iob2(chunks_of(tags), len(tags)) if self.finds_entities else tags)

    def _targets(self, rows: Sequence[Tagged], describe: Describe) -> list[list[int]]:
        """Return the position of each tag; raises `DataError` for unknown ones."""
        owners = [number for number, row in enumerate(rows) for _ in row.tags]
        tags = [tag for row in rows for tag in row.tags]
        found = iter(index_labels(tags, self.labels, lambda at: describe(owners[at])))
        return [[next(found) for _ in row.tags] for row in rows]

    def _losses(self, outputs_WC: Tensor, targets_W: Tensor) -> tuple[Tensor, Tensor]:
        """Return cross entropy in nats and weight 1 of each word, (W) and (W)."""
        losses_W = functional.cross_entropy(
            outputs_WC.float(), targets_W, reduction="none", label_smoothing=self.label_smoothing
        )
        return losses_W, torch.ones_like(losses_W)

    def _scores(self, expected: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> Scores:
        if self.finds_entities:
            return entity_scores(expected, found)
        truth, guess = ([tag for tags in rows for tag in tags] for rows in (expected, found))
        return metrics.classification_scores(truth, guess, self.labels, kind=metrics.WordScores)


def _refuse_strange(row: Tagged, place: str) -> None:
    """Raise `DataError` for a tag that marks no entity among tags that do."""
    for number, (word, tag) in enumerate(zip(row.spelled(), row.tags, strict=True), 1):
        if not is_entity_tag(tag):
            raise DataError(
                f"{place}, word {number}: {word!r} has the tag {tag!r}, which is neither O nor "
                "B-…, I-… (or another letter of BIOES or BILOU) before a type; correct it"
            )


def _where_they_differ(row: Tagged, found: Sequence[str], tags: Sequence[str]) -> Tagged:
    """Return the words that were found to be something else, with these tags of the row.

    Where there are none, all of them.
    """
    pairs = zip(row.tags, found, strict=True)
    places = [place for place, (tag, other) in enumerate(pairs) if tag != other]
    places = places or list(range(len(tags)))
    words = tuple(row.words[place] for place in places)
    return Tagged(row.text, words, tuple(tags[place] for place in places))


def _nameless(row: int) -> str:
    return f"row {row + 1}"
