"""Answers that were given before, to the same question: the least recently asked are forgotten."""

from __future__ import annotations

from collections import OrderedDict

from manyheads.serve.items import Answer, Operation, Question

Key = tuple[Operation, str | None, tuple[bytes, ...], tuple[bytes, ...]]
_BESIDES = 256  # bytes of an entry, besides its numbers and tokens


class AnswerCache:
    """Holds answers of so many bytes together; none at 0."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self.hits = 0
        self._answers: OrderedDict[Key, tuple[Answer, int]] = OrderedDict()

    def get(self, question: Question) -> Answer | None:
        """Return the answer to an equal question, None where it is not known."""
        if not self.limit:
            return None
        key = _key(question)
        found = self._answers.get(key)
        if found is None:
            return None
        self.hits += 1
        self._answers.move_to_end(key)
        return found[0]

    def put(self, question: Question, answer: Answer) -> None:
        """Remember an answer, if there is room for it at all."""
        if not self.limit:
            return
        # As it came, an array holds all of the message that it came in.
        answer = Answer(answer.said, [array.copy() for array in answer.arrays])
        key, size = _key(question), _size(question, answer)
        if size > self.limit or key in self._answers:
            return
        self._answers[key] = (answer, size)
        self.bytes += size
        while self.bytes > self.limit:
            _, (_, gone) = self._answers.popitem(last=False)
            self.bytes -= gone


def _key(question: Question) -> Key:
    pieces = question.encoded.pieces
    ids = tuple(piece.ids.tobytes() for piece in pieces)
    return question.operation, question.text, ids, tuple(one.segments.tobytes() for one in pieces)


def _size(question: Question, answer: Answer) -> int:
    said = len(repr(answer.said)) + len(question.text or "")
    return sum(array.nbytes for array in answer.arrays) + 5 * question.tokens + said + _BESIDES
