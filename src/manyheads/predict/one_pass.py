"""Several heads answer in one pass of their body.

texts ─ each head reads ─→ glances ─ the same piece once ─→ batches ─ body ─→ vectors ─ each head ─→
                                                                                     answers by head

A piece that several heads look at runs through the body once, however they look at it. A long text
may be cut otherwise for one head than for another; only then is there more than one piece of it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from manyheads.core.layers import vectors_of
from manyheads.core.layout import Layout
from manyheads.core.mask import GlobalWindow
from manyheads.core.pooling import with_filler
from manyheads.core.transformer import Transformer
from manyheads.predict.answer import Answer
from manyheads.predict.running import in_batches
from manyheads.text import Piece


@dataclass(frozen=True)
class Glance:
    """What a head wants to see of a piece: the vectors of the tokens at `places`.

    `global_tokens` are as in `Layout`; None is the model's own number.
    """

    piece: Piece
    places: Sequence[int]
    global_tokens: int | None = None


@dataclass(frozen=True)
class Asked:
    """What a head was asked of some texts.

    `speak` makes of the vectors (N, D) of some glances, and of how many each of them has, what the
    head says of each; `answers` makes of what was said of all glances the answers.
    """

    glances: Sequence[Glance]
    speak: Callable[[Tensor, Sequence[int]], Sequence[Tensor]]
    answers: Callable[[Sequence[Tensor]], list[Answer]]


def answer_all(
    transformer: Transformer,
    asked: Mapping[str, Asked],
    blocks: Mapping[str, int],
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, list[Answer]]:
    """Return the answers of each head, which reads what comes out of its number of blocks.

    `progress` is told of every finished batch's number of pieces.
    """
    pieces = _distinct(transformer, asked)
    lengths = [len(one.glance.piece.ids) for one in pieces]
    said: dict[str, dict[int, Tensor]] = {head: {} for head in asked}

    def work(indices: Sequence[int]) -> list[_Said]:
        return _spoken(transformer, [pieces[index] for index in indices], asked, blocks)

    batches = in_batches(work, lengths, device=transformer.device, progress=progress)
    for _, found in batches:
        for one in found:
            said[one.head] |= dict(zip(one.numbers, one.parts, strict=True))
    return {
        head: one.answers([said[head][number] for number in range(len(one.glances))])
        for head, one in asked.items()
    }


@dataclass(frozen=True)
class _Said:
    """What a head says of some of its glances, by their numbers."""

    head: str
    numbers: Sequence[int]
    parts: Sequence[Tensor]


@dataclass(frozen=True)
class _Shared:
    """A piece, and who looks at it: the numbers of the glances by head."""

    glance: Glance
    global_tokens: int | None
    viewers: list[tuple[str, int]] = field(default_factory=list)


def _distinct(transformer: Transformer, asked: Mapping[str, Asked]) -> list[_Shared]:
    """Return each piece once, with all who look at it."""
    assert transformer.spec.encoder is not None
    reach = transformer.spec.encoder.blocks[0].attention.reach
    pieces: dict[Hashable, _Shared] = {}
    for head, one in asked.items():
        for number, glance in enumerate(one.glances):
            tokens = None
            if isinstance(reach, GlobalWindow):
                own = glance.global_tokens
                tokens = min(reach.global_tokens, len(glance.piece.ids)) if own is None else own
            key = glance.piece.ids.tobytes(), glance.piece.segments.tobytes(), tokens
            pieces.setdefault(key, _Shared(glance, tokens)).viewers.append((head, number))
    return list(pieces.values())


@dataclass
class _Wanted:
    """The tokens of a batch that a head wants: where they are, how many of each of its glances."""

    numbers: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


def _spoken(
    transformer: Transformer,
    pieces: Sequence[_Shared],
    asked: Mapping[str, Asked],
    blocks: Mapping[str, int],
) -> list[_Said]:
    """Run the body once over some pieces, and let every head that looks at them speak."""
    device = transformer.device
    ids_T, layout = Layout.flatten([one.glance.piece.ids for one in pieces], device)
    if pieces[0].global_tokens is not None:
        layout = Layout(layout.lengths, device, global_tokens=[one.global_tokens for one in pieces])
    segments = [segment for one in pieces for segment in one.glance.piece.segments]
    wanted = _wanted(pieces, layout, asked)
    places_N = {head: torch.tensor(one.places, device=device) for head, one in wanted.items()}
    depths = {blocks[head] for head in wanted}
    rows = {
        depth: torch.cat([places_N[head] for head in wanted if blocks[head] == depth]).unique()
        for depth in depths
    }
    filled = with_filler(ids_T, layout, torch.tensor(segments, device=device))
    vectors = vectors_of(transformer, *filled, rows)
    found = []
    for head, one in wanted.items():
        at_N = torch.searchsorted(rows[blocks[head]], places_N[head])
        parts = asked[head].speak(vectors[blocks[head]][at_N], one.counts)
        found.append(_Said(head, one.numbers, parts))
    return found


def _wanted(
    pieces: Sequence[_Shared], layout: Layout, asked: Mapping[str, Asked]
) -> dict[str, _Wanted]:
    wanted: dict[str, _Wanted] = {}
    for start, piece in zip(layout.starts, pieces, strict=True):
        for head, number in piece.viewers:
            places = asked[head].glances[number].places
            own = wanted.setdefault(head, _Wanted())
            own.numbers.append(number)
            own.counts.append(len(places))
            own.places += [start + place for place in places]
    return wanted
