"""What the service and its workers say to each other, as frames.

service → worker    a batch of questions of one operation
worker → service    "ready" with its card, "refused"; then for each batch "done" with answers,
                    or what went wrong with it as a whole: "no memory", "failed"
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

from manyheads import errors
from manyheads.errors import ManyHeadsError, ServiceError
from manyheads.serve.frames import Frame
from manyheads.serve.items import Answer, Operation, Question
from manyheads.text import Encoded, Piece


def batch_frame(questions: Sequence[Question], threads: int) -> Frame:
    """Return questions of one operation as a message."""
    operation = questions[0].operation
    pieces = [piece for one in questions for piece in one.encoded.pieces]
    arrays = [
        np.array([len(one.encoded.pieces) for one in questions], np.int32),
        np.array([len(piece.ids) for piece in pieces], np.int32),
        np.concatenate([np.asarray(piece.ids, np.int32) for piece in pieces]),
        np.concatenate([np.asarray(piece.segments, np.uint8) for piece in pieces]),
    ]
    said = {"do": operation.name, "settings": dict(operation.settings), "threads": threads}
    if questions[0].text is not None:
        said["texts"] = [one.text for one in questions]
    if questions[0].pair is not None:
        said["pairs"] = [one.pair for one in questions]
    return Frame(said, arrays)


def questions_of(frame: Frame) -> list[Question]:
    """Return the questions of a batch."""
    head = frame.head
    operation = Operation(head["do"], tuple(head["settings"].items()))
    nothing = [None] * len(frame.arrays[0])
    texts, pairs = head.get("texts") or nothing, head.get("pairs") or nothing
    return [Question(operation, *one) for one in zip(_encoded_of(frame), texts, pairs, strict=True)]


def _encoded_of(frame: Frame) -> list[Encoded]:
    pieces_of, lengths, ids, segments = frame.arrays
    ends = np.cumsum(lengths).tolist()
    spans = [slice(end - size, end) for size, end in zip(lengths.tolist(), ends, strict=True)]
    pieces = iter(
        Piece(array("i", ids[span].tobytes()), array("B", segments[span].tobytes()), None)
        for span in spans
    )
    return [
        Encoded(tuple(next(pieces) for _ in range(count)), 0, 0) for count in pieces_of.tolist()
    ]


def answers_frame(answers: Sequence[Answer]) -> Frame:
    """Return the answers to a batch, in its order, as a message."""
    said = [(answer.said, len(answer.arrays)) for answer in answers]
    return Frame(
        {"say": "done", "answers": said}, [one for answer in answers for one in answer.arrays]
    )


def error_of(kind: str, why: str) -> ManyHeadsError:
    """Return the error that a worker tells by its name."""
    found = getattr(errors, kind, ServiceError)
    error: ManyHeadsError = found(why)
    return error


def answers_of(frame: Frame) -> list[Answer]:
    """Return the answers that a message brings."""
    arrays = iter(frame.arrays)
    return [
        Answer(said, [next(arrays) for _ in range(count)]) for said, count in frame.head["answers"]
    ]
