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
from manyheads.tasks.answering.answers import Answers
from manyheads.tasks.batch import moved
from manyheads.tasks.reader import Reader
from manyheads.text import Cleaning, Encoded, Piece, Windows
from manyheads.text.clean import end_of
from manyheads.text.truncate import Cut


@dataclass(frozen=True, slots=True)
class Window:
    """A question with a window of its context.

    The tokens of the context stand in a row from `first` on; token i was read from the characters
    `starts[i]` to `ends[i]` of the context as it was given, without white space before them.
    `target` holds the first and the last token of the answer, counted from 1; (0, 0) says that it
    is not, or not all, in this window.
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

    @property
    def places(self) -> list[int]:
        """The tokens that an answer may begin or end with, the first one for that there is none."""
        return [0, *range(self.first, self.first + len(self.starts))]

    @property
    def question(self) -> int:
        """How many tokens stand before the end of the question."""
        return self.piece.ids.index(self.piece.ids[-1])

    def digest(self, seed: int) -> int:
        """Return a checksum of tokens and target, going on from `seed`."""
        return zlib.crc32(repr(self.target).encode(), zlib.crc32(self.piece.ids, seed))


@dataclass(frozen=True)
class ContextWindows(Windows):
    """Windows over the context, be it the longer text or not.

    What a question has beyond half of the room is cut, unless the context leaves more.
    """

    def cuts(self, lengths: Sequence[int], room: int) -> list[Cut]:
        """Return one cut for each window."""
        asked, given = lengths
        kept = min(asked, max(room // 2, room - given))
        left = room - kept
        overlap = min(self.stride, left // 2)
        spans = Windows(self.max_tokens, overlap).cuts((given,), left)
        return [(((0, kept),), *one) for one in spans]


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
        reader, windows = self.reader, self.reader.truncation
        assert isinstance(windows, Windows)
        cleaned, origins = reader.traced(contexts)
        encoded = reader.tokenizer.encode(
            reader.clean(questions),
            cleaned,
            truncation=ContextWindows(windows.max_tokens, windows.stride),
            offsets=True,
        )
        return [
            window
            for row, one in enumerate(encoded)
            for window in _windows(
                row,
                one,
                _Origins(contexts[row], origins[row], reader.cleaning),
                answers and answers[row],
            )
        ]


@dataclass(frozen=True)
class _Origins:
    """Where in a text the characters of its cleaned form come from; None: where they stand."""

    text: str
    places: Sequence[int] | None
    cleaning: Cleaning

    def of(self, start: int, end: int) -> tuple[int, int]:
        """Return where a token begins, behind any white space, and where it ends."""
        if start == end:  # it stands for no character, such as the mark of a word's beginning
            at = 0 if start == 0 else self.of(start - 1, start)[1]
            return at, at
        if self.places is not None:
            start, end = self.places[start], self._end(self.places[end - 1])
        while start + 1 < end and self.text[start].isspace():
            start += 1
        return start, end

    def _end(self, at: int) -> int:
        """Return where the characters end that became the one from a place, with their marks."""
        end = end_of(self.text, at)
        while end > at + 1 and not self.cleaning(self.text[end - 1]):
            end -= 1
        return end


def _windows(
    row: int, encoded: Encoded, origins: _Origins, answers: Answers | None
) -> Iterator[Window]:
    for number, piece in enumerate(encoded.pieces):
        assert piece.sources is not None and piece.offsets is not None
        places = [place for place, source in enumerate(piece.sources) if source == 1]
        spans = [origins.of(*piece.offsets[place]) for place in places]
        starts = array("i", [start for start, _ in spans])
        ends = array("i", [end for _, end in spans])
        yield Window(
            row,
            Piece(piece.ids, piece.segments, None),  # offsets have served their purpose
            places[0] if places else len(piece.ids),
            starts,
            ends,
            _target(starts, ends, answers, number == 0, number == len(encoded.pieces) - 1),
            () if number else (encoded,),
        )


def _target(
    starts: array[int], ends: array[int], answers: Answers | None, is_first: bool, is_last: bool
) -> tuple[int, int]:
    """Return the first and the last token of the first answer, from 1; (0, 0) if not all here."""
    if answers is None or not answers.texts or not starts:
        return 0, 0
    text = answers.texts[0]
    begin = answers.starts[0] + len(text) - len(text.lstrip())
    end = begin + len(text.strip())
    if (begin < starts[0] and not is_first) or (end > ends[-1] and not is_last):
        return 0, 0
    # All tokens that share a character with it: of a character that is several bytes, each.
    first, behind = bisect_right(ends, begin), bisect_left(starts, end)
    return (first + 1, behind) if first < behind else (0, 0)


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
            start + place
            for start, one in zip(layout.starts, windows, strict=False)
            for place in one.places
        ]
        return cls(
            rows=tuple(one.row for one in windows),
            ids=ids,
            segments=torch.tensor([s for one in windows for s in one.piece.segments]),
            layout=layout,
            places=torch.tensor(places),
            counts=tuple(1 + len(one.starts) for one in windows),
            questions=tuple(one.question for one in windows),
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
        return moved(self, device)
