"""From questions and their contexts to batches: windows of the context, each behind the question.

[CLS] question [SEP] context [SEP]      places 0 │ 5 6 7 8 …     of "no answer here", and of
                                                                 the tokens that may be answers
"""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from manyheads.core.layout import Layout
from manyheads.tasks.answers import Answers
from manyheads.tasks.reader import Reader
from manyheads.text import Encoded, Piece


@dataclass(frozen=True, slots=True)
class Window:
    """A question with a window of its context.

    The tokens of the context stand in a row from `first` on; token i was read from the characters
    `starts[i]` to `ends[i]` of the context as it was given. `target` holds the first and the last
    token of the answer, counted from 1; (0, 0) says that it is not in this window.
    """

    row: int
    piece: Piece
    first: int
    starts: array[int]
    ends: array[int]
    target: tuple[int, int]
    texts: tuple[Encoded, ...]

    @property
    def tokens(self) -> int:
        """How many tokens it has."""
        return len(self.piece.ids)

    def digest(self, seed: int) -> int:
        """Return a checksum of tokens and target, going on from `seed`."""
        return zlib.crc32(repr(self.target).encode(), zlib.crc32(self.piece.ids, seed))


@dataclass(frozen=True)
class QuestionReader:
    """Reads questions with their contexts."""

    reader: Reader

    def read(
        self,
        questions: Sequence[str],
        contexts: Sequence[str],
        answers: Sequence[Answers] | None = None,
    ) -> list[Window]:
        """Return the windows of all rows, those of a row one after the other; raises `TextError`.

        What is learnt is the first answer of each row.
        """
        reader = self.reader
        cleaned, origins = reader.traced(contexts)
        encoded = reader.tokenizer.encode(
            reader.clean(questions), cleaned, truncation=reader.truncation, offsets=True
        )
        return [
            window
            for row, one in enumerate(encoded)
            for window in _windows(row, one, origins[row], answers and answers[row])
        ]


def _windows(
    row: int, encoded: Encoded, origins: Sequence[int] | None, answers: Answers | None
) -> Iterator[Window]:
    for number, piece in enumerate(encoded.pieces):
        assert piece.sources is not None and piece.offsets is not None
        places = [place for place, source in enumerate(piece.sources) if source == 1]
        spans = [piece.offsets[place] for place in places]
        starts = array("i", [_origin(origins, start) for start, _ in spans])
        ends = array("i", [_origin(origins, end - 1) + 1 if end else 0 for _, end in spans])
        yield Window(
            row,
            Piece(piece.ids, piece.segments, None),  # offsets have served their purpose
            places[0] if places else len(piece.ids),
            starts,
            ends,
            _target(starts, ends, answers),
            () if number else (encoded,),
        )


def _origin(origins: Sequence[int] | None, place: int) -> int:
    return place if origins is None or not origins else origins[place]


def _target(starts: array[int], ends: array[int], answers: Answers | None) -> tuple[int, int]:
    """Return the first and the last token of the first answer, from 1; (0, 0) if not all here."""
    if answers is None or not answers.texts or not starts:
        return 0, 0
    begin = answers.starts[0]
    end = begin + len(answers.texts[0])
    if begin < starts[0] or end > ends[-1]:
        return 0, 0
    return bisect_right(starts, begin), bisect_left(ends, end) + 1


@dataclass(frozen=True)
class WindowBatch:
    """N windows laid end to end, T tokens, of which P at `places` may begin or end an answer.

    Each window has `counts` of them: its first token, which stands for no answer, and its context.
    """

    rows: tuple[int, ...]
    ids: Tensor  # (T)
    segments: Tensor  # (T)
    layout: Layout
    places: Tensor  # (P)
    counts: tuple[int, ...]
    questions: tuple[int, ...]  # how many tokens stand before the end of each question
    targets: Tensor  # (N, 2)

    @classmethod
    def of(cls, windows: Sequence[Window]) -> WindowBatch:
        """Lay windows end to end."""
        ids, layout = Layout.flatten([one.piece.ids for one in windows])
        places = [
            place
            for start, one in zip(layout.starts, windows, strict=False)
            for place in (start, *range(start + one.first, start + one.first + len(one.starts)))
        ]
        return cls(
            rows=tuple(one.row for one in windows),
            ids=ids,
            segments=torch.tensor([s for one in windows for s in one.piece.segments]),
            layout=layout,
            places=torch.tensor(places),
            counts=tuple(1 + len(one.starts) for one in windows),
            questions=tuple(one.piece.ids.index(one.piece.ids[-1]) for one in windows),
            targets=torch.tensor([one.target for one in windows]),
        )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def tokens(self) -> int:
        """T, the tokens of all windows."""
        return self.layout.tokens

    def to(self, device: torch.device) -> WindowBatch:
        """Return the batch on another device."""
        if self.ids.device == device:
            return self
        return WindowBatch(
            self.rows,
            self.ids.to(device, non_blocking=True),
            self.segments.to(device, non_blocking=True),
            self.layout.to(device),
            self.places.to(device, non_blocking=True),
            self.counts,
            self.questions,
            self.targets.to(device, non_blocking=True),
        )
