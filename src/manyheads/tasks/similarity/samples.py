"""Texts that stand beside each other, each read by itself: how they become batches.

    columns ── RelatedReader ─→ Related ── RelatedBatch.of ─→ parts ── VectorModel ─→ (S, N, E)

A batch has S·N texts, side by side in that order: text n of side s has the place s·N + n. They are
computed in parts, texts of similar length together.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import torch
from torch import Tensor, nn

from manyheads.core.layout import Layout
from manyheads.core.transformer import Transformer
from manyheads.core.vectors import VectorHead, text_vectors
from manyheads.errors import RecipeError
from manyheads.hub.sentences import Sentences
from manyheads.tasks.augment import kept_tokens
from manyheads.tasks.batch import moved
from manyheads.tasks.labels import SIDES
from manyheads.tasks.reader import Reader
from manyheads.text import Encoded, Head


@dataclass(frozen=True, slots=True)
class Related:
    """The texts of one row, and what is known of them.

    Of each text `numbers` holds a number that is equal for equal texts of the split, and
    `uncounted` how many of its first tokens are a prompt that is not pooled.
    """

    row: int
    texts: tuple[Encoded, ...]
    numbers: tuple[int, ...]
    uncounted: tuple[int, ...]
    score: float | None

    @property
    def tokens(self) -> int:
        """The tokens of all its texts."""
        return sum(len(text.pieces[0].ids) for text in self.texts)

    def digest(self, seed: int) -> int:
        """Return a checksum of all texts and the score, going on from `seed`."""
        for text in self.texts:
            seed = zlib.crc32(text.pieces[0].ids, seed)
        return zlib.crc32(repr(self.score).encode(), seed)


@dataclass(frozen=True)
class RelatedReader:
    """Reads the sides of rows: texts behind the prompt `query`, others behind `document`;
    `sentences` says how vectors are made.

    Raises `RecipeError` for texts that are cut otherwise than at their ends, because a folder of
    sentence-transformers says nothing else.
    """

    reader: Reader
    sentences: Sentences
    query: str = ""
    document: str = ""

    def __post_init__(self) -> None:
        kept = self.reader.truncation
        if not isinstance(kept, Head):
            raise RecipeError(
                f"vectors are made of the first tokens of a text, not by {type(kept).__name__}; "
                "choose truncation=head"
            )

    def read(
        self, columns: Mapping[str, Sequence[str]], scores: Sequence[float] | None
    ) -> list[Related]:
        """Return the texts of each row; raises `TextError`."""
        sides = [self.reader.clean(columns[side]) for side in SIDES if side in columns]
        prompts, tokenizer = self.sentences.prompts, self.reader.tokenizer
        before = [self.query, *[self.document] * (len(sides) - 1)]
        uncounted = tuple(prompts.uncounted(prompt, tokenizer) for prompt in before)
        encoded = [
            tokenizer.encode(prompts.before(prompt, texts), truncation=self.reader.truncation)
            for prompt, texts in zip(before, sides, strict=True)
        ]
        return [
            Related(row, texts, numbers, uncounted, None if scores is None else scores[row])
            for row, (texts, numbers) in enumerate(
                zip(
                    zip(*encoded, strict=True),
                    zip(*numbered(sides), strict=True),
                    strict=True,
                )
            )
        ]


def numbered(sides: Sequence[Sequence[str]]) -> list[list[int]]:
    """Return a number for each text of each side, equal for those equal up to case and spaces."""
    known: dict[str, int] = {}
    return [
        [known.setdefault(" ".join(text.casefold().split()), len(known)) for text in side]
        for side in sides
    ]


@dataclass(frozen=True)
class Part:
    """Some texts of a batch laid end to end, and their places in it; the first `uncounted` tokens
    of each are not pooled.
    """

    ids: Tensor  # (T)
    layout: Layout
    places: Tensor  # (B)
    uncounted: int

    def without_some(self, share: float) -> Part:
        """Return the part with that share of its tokens left out."""
        kept_T, layout = kept_tokens(self.layout, share)
        return replace(self, ids=self.ids[kept_T], layout=layout)

    def to(self, device: torch.device) -> Part:
        """Return the part on another device."""
        return moved(self, device)


@dataclass(frozen=True)
class RelatedBatch:
    """N rows of S texts each, in parts, with the targets of an `Objective`.

    `in_chunks` says that parts are to be computed one after the other, in little memory.
    """

    rows: tuple[int, ...]
    parts: tuple[Part, ...]
    targets: Tensor  # (N), or (S, N)
    sides: int
    in_chunks: bool = False

    @classmethod
    def of(cls, samples: Sequence[Related], chunk_tokens: int | None) -> RelatedBatch:
        """Lay the texts of rows end to end, in parts of at most so many tokens."""
        return cls(
            rows=tuple(one.row for one in samples),
            parts=tuple(_parts(samples, chunk_tokens)),
            targets=targets_of(samples),
            sides=len(samples[0].texts),
            in_chunks=chunk_tokens is not None,
        )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def tokens(self) -> int:
        """T, the tokens of all texts."""
        return sum(part.layout.tokens for part in self.parts)

    @property
    def has_scores(self) -> bool:
        """Whether the targets are scores."""
        return self.targets.dim() == 1

    def in_order(self, vectors: Sequence[Tensor]) -> Tensor:
        """Return the vectors of all parts by sides and rows, (S, N, E)."""
        places = torch.cat([part.places for part in self.parts])
        return torch.cat(list(vectors))[places.argsort()].unflatten(0, (self.sides, -1))

    def to(self, device: torch.device) -> RelatedBatch:
        """Return the batch on another device."""
        if self.targets.device == device:
            return self
        return replace(
            self,
            parts=tuple(part.to(device) for part in self.parts),
            targets=self.targets.to(device, non_blocking=True),
        )


def targets_of(samples: Sequence[Related]) -> Tensor:
    """Return what an `Objective` learns from: the scores of rows (N), or without them the numbers
    of their texts (S, N).
    """
    scores = [one.score for one in samples if one.score is not None]
    return torch.tensor(scores) if scores else torch.tensor([one.numbers for one in samples]).T


def _parts(samples: Sequence[Related], most: int | None) -> Iterator[Part]:
    """Yield all texts, those of similar length together: attention is faster over equal ones."""
    sides = range(len(samples[0].texts))
    ids = [one.texts[side].pieces[0].ids for side in sides for one in samples]
    uncounted = [one.uncounted[side] for side in sides for one in samples]
    order = sorted(range(len(ids)), key=lambda place: (uncounted[place], len(ids[place])))
    for prompt, alike in groupby(order, key=uncounted.__getitem__):
        for places in _chunks(list(alike), [len(one) for one in ids], most):
            ids_T, layout = Layout.flatten([ids[place] for place in places])
            yield Part(ids_T, layout, torch.tensor(places), prompt)


def _chunks(places: list[int], lengths: list[int], most: int | None) -> Iterator[list[int]]:
    """Yield places in their order, of at most so many tokens at a time, but at least one place."""
    chunk: list[int] = []
    for place in places:
        chunk.append(place)
        if most is not None and len(chunk) > 1 and sum(lengths[one] for one in chunk) > most:
            yield chunk[:-1]
            chunk = [place]
    yield chunk


class VectorModel(nn.Module):
    """A Transformer with what makes one vector of a text."""

    def __init__(self, transformer: Transformer, head: VectorHead) -> None:
        super().__init__()
        self.transformer = transformer
        self.head = head

    def forward(self, part: Part) -> Tensor:
        """Return the vectors of the texts of a part, (B, E)."""
        return text_vectors(self.transformer, self.head, part.ids, part.layout, part.uncounted)
